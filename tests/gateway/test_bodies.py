"""Fault matrix, U40 to U51: a 200 that is not an answer, and one that is although it looks odd."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.gateway.faults import (
    Fault,
    assert_alone,
    assert_falls_back,
    assert_let_go,
    assert_tokens,
    completion,
    stream_events,
)
from tests.gateway.running import ANSWER, Reply, RunningGateway, Starter, assert_error
from tests.support.script import Close, Drip, Hang, Script, Send, Step, answer, chunk, head, json_answer, sse_answer
from tests.support.upstream import ScriptedUpstream

JSON = {"content-type": "application/json"}
GOOD = json.dumps(completion(ANSWER)).encode()
CHUNKED = head(200, {**JSON, "transfer-encoding": "chunked"})


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def broken(name: str, script: Script) -> Fault:
    return Fault(name, script, 502, "upstream_protocol_error", "protocol_error")


def unusable(name: str, body: bytes, content_type: str = "application/json") -> Fault:
    script = answer(body, headers={"content-type": content_type})
    return Fault(name, script, 502, "upstream_bad_response", "bad_response")


FAULTS = [
    broken("U40 length cut", [Send(head(200, {**JSON, "content-length": "9999"}) + GOOD), Close()]),
    broken("U40 chunk cut", [Send(CHUNKED + chunk(GOOD)[:-20]), Close()]),
    broken("U40 chunk size", [Send(CHUNKED + b"zz\r\n" + GOOD)]),
    broken("U40 gzip cut", answer(gzip.compress(GOOD)[:-9], headers={**JSON, "content-encoding": "gzip"})),
    unusable("U41 not JSON", b"{nope"),
    unusable("U41 empty", b""),
    unusable("U41 web page", b"<html>log in</html>", "text/html"),
    unusable("U41 array", b"[]"),
    unusable("U41 wrong shape", b'{"choices": "many"}'),
    unusable("U41 no choices", b'{"choices": []}'),
    unusable("U41 nested", b'{"choices": ' + b"[" * 100_000),
    Fault(
        "U42 error inside",
        json_answer({"error": {"message": "model crashed"}}),
        502,
        "upstream_error",
        "bad_response",
    ),
    Fault(
        "U42 rate limit inside",
        json_answer({"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}),
        429,
        "upstream_rate_limited",
        "http_429",
        tries=1,
    ),
    Fault(
        "U43 stalls",
        [Send(head(200, {**JSON, "content-length": "9999"}) + b'{"choices"'), Hang()],
        504,
        "upstream_timeout",
        "timeout_idle",
        tries=1,
    ),
    broken("U46 brotli", answer(GOOD, headers={**JSON, "content-encoding": "br"})),
    broken("U46 not gzip at all", answer(GOOD, headers={**JSON, "content-encoding": "gzip"})),
]


def as_asked(fault: Fault, stream: bool) -> Fault:
    """A stream has to have spoken by the first-byte limit, which is as long as the idle one here."""
    return replace(fault, outcome="timeout_first_byte") if stream and fault.outcome == "timeout_idle" else fault


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_is_no_answer_alone(start: Starter, fault: Fault, stream: bool) -> None:
    """Streamed: the provider answers JSON all the same, which would be told as a stream if it were good."""
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, upstream.url("/v1"), as_asked(fault, stream), stream=stream)
        assert len(upstream.requests) == fault.tries
        await assert_let_go(upstream, fault)


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_what_is_no_answer_with_a_fallback(start: Starter, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_falls_back(start, upstream.url("/v1"), as_asked(fault, stream), stream=stream)
        assert len(upstream.requests) == 1
        await assert_let_go(upstream, fault)


async def test_u43_a_body_that_drips_for_ever_ends_with_the_request(start: Starter) -> None:
    drip: list[Step] = [Send(head(200, {**JSON, "content-length": "99999"})), Drip(b" " * 9999, every_s=0.02)]
    timeouts = {"connect": "10s", "first_byte": "10s", "idle": "10s", "total": "500ms"}
    async with ScriptedUpstream(drip) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": timeouts})
        assert_error(await gateway.chat(), 504, "deadline_exceeded")


@pytest.mark.parametrize("encoding", [None, "gzip"])
async def test_u44_an_answer_beyond_all_measure(start: Starter, encoding: str | None) -> None:
    if encoding is None:
        script: Script = [Send(CHUNKED), Send(chunk(b" " * 2**20), times=None)]
    else:
        script = answer(gzip.compress(b" " * (40 * 2**20)), headers={**JSON, "content-encoding": encoding})
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"retry": {"attempts": 1}})
        assert_error(await gateway.chat(), 502, "upstream_response_too_large")
        await upstream.client_gone()
        assert upstream.connections[0].sent < 48 * 2**20


async def ask(start: Starter, script: Script, **changes: Any) -> tuple[RunningGateway, Reply]:
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, **changes)
        return gateway, await gateway.chat()


async def test_t89_u45_compression_that_nobody_asked_for_is_undone(start: Starter) -> None:
    gateway, reply = await ask(start, answer(gzip.compress(GOOD), headers={**JSON, "content-encoding": "gzip"}))
    assert (reply.status, reply.body) == (200, GOOD)
    assert "content-encoding" not in reply.headers
    assert_tokens(await gateway.record(), in_uncached=7, out_visible=3)


async def test_u47_an_old_server_that_ends_by_closing(start: Starter) -> None:
    gateway, reply = await ask(start, [Send(head(200, JSON, version="1.0") + GOOD), Close()])
    assert (reply.status, reply.body) == (200, GOOD)
    assert_tokens(await gateway.record(), in_uncached=7, out_visible=3)


async def test_u47_an_old_server_that_ends_too_soon(start: Starter) -> None:
    _, reply = await ask(start, [Send(head(200, JSON, version="1.0") + GOOD[:-5]), Close()])
    assert_error(reply, 502, "upstream_bad_response")


@pytest.mark.parametrize(
    "usage",
    [
        "null",
        "{}",
        '{"prompt_tokens": -5, "completion_tokens": 3}',
        '{"prompt_tokens": "many", "completion_tokens": 3}',
        '{"prompt_tokens": 1' + "0" * 400 + "}",
        '{"prompt_tokens": 1e300}',
        '{"prompt_tokens": NaN, "completion_tokens": NaN}',
        '{"prompt_tokens": NaN, "completion_tokens": 3}',
        "[]",
    ],
)
async def test_u48_u49_usage_that_is_absent_or_absurd_is_estimated(start: Starter, usage: str) -> None:
    body = json.dumps(completion(ANSWER, usage=None))[:-1] + f', "usage": {usage}}}'
    gateway, reply = await ask(start, answer(body.encode(), headers=JSON))
    assert (reply.status, reply.text) == (200, ANSWER)
    json.loads(reply.body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    record = await gateway.record()
    assert (record["outcome"], record["estimated"]) == ("ok", 1)
    assert record["in_uncached"] > 0
    assert record["out_visible"] > 0
    assert gateway.metric("usage_estimated_total", provider="main") == 1
    was_told = usage not in ("null", "{}")
    assert gateway.metric("usage_rejected_total", provider="main", extent="whole") == was_told


@pytest.mark.parametrize("text", [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80"])
async def test_u50_what_is_no_utf8_never_goes_on(start: Starter, text: bytes) -> None:
    gateway, reply = await ask(start, answer(GOOD.replace(ANSWER.encode(), text), headers=JSON))
    assert reply.status == 200
    reply.body.decode()
    assert "\ufffd" in reply.text
    assert (await gateway.record())["estimated"] == 0


async def test_u51_a_providers_headers_stay_behind(start: Starter) -> None:
    private = {
        "set-cookie": "session=1",
        "access-control-allow-origin": "*",
        "alt-svc": "h3=':443'",
        "strict-transport-security": "max-age=1",
        "x-internal-host": "node-7",
        "server": "uvicorn",
        "openai-organization": "org-acme",
    }
    async with ScriptedUpstream(json_answer(completion(ANSWER), headers=private)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        for _ in range(2):
            reply = await gateway.chat(headers={"cookie": "caller=1", "x-secret": "of-the-caller"})
            assert reply.status == 200
            assert not (set(private) - {"server"}) & set(reply.headers)
            assert reply.headers["server"] == "gaiarouter"
        for received in upstream.requests:
            assert set(received.headers) == {
                "host",
                "accept-encoding",
                "user-agent",
                "content-type",
                "accept",
                "x-request-id",
                "authorization",
                "content-length",
            }


async def test_t88_a_stream_that_nobody_asked_for_is_folded(start: Starter) -> None:
    gateway, reply = await ask(start, sse_answer(stream_events(ANSWER)))
    assert (reply.status, reply.text) == (200, ANSWER)
    assert reply.headers["content-type"] == "application/json"
    assert_tokens(await gateway.record(), in_uncached=7, out_visible=3)
