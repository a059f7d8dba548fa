"""Fault matrix, U20 to U32: what a provider's error statuses become, and what an outage costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import formatdate

import pytest

from tests.gateway.faults import Fault, assert_alone, assert_falls_back, assert_tokens, attempts, completion, healthy
from tests.gateway.running import ANSWER, BACKUP_ANSWER, PROVIDER_KEY, QUICK, Starter, assert_error
from tests.support.script import Hang, Send, Step, answer, chunk, error_answer, head, json_answer
from tests.support.upstream import BOUND_S, ScriptedUpstream


def status_fault(
    status: int, told: int, code: str | None, outcome: str, *, tries: int = 2, headers: Mapping[str, str] | None = None
) -> Fault:
    name = f"{status} {' '.join((headers or {}).values())}".strip()
    return Fault(name, error_answer(status, headers=headers), told, code, outcome, tries=tries)


FAULTS = [
    *(status_fault(status, 502, "upstream_error", "http_5xx") for status in (500, 502, 520)),
    *(status_fault(status, 503, "upstream_overloaded", "http_5xx") for status in (503, 529)),
    *(status_fault(status, 504, "upstream_timeout", "http_5xx") for status in (408, 504)),
    status_fault(429, 429, "upstream_rate_limited", "http_429", tries=1, headers={"retry-after": "7"}),
    status_fault(429, 429, "upstream_rate_limited", "http_429", tries=1, headers={"retry-after": "86400"}),
    *(status_fault(status, 502, "upstream_auth_error", "http_401", tries=1) for status in (401, 402, 403)),
    status_fault(404, 502, "upstream_error", "http_4xx", tries=1),
]

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_status_alone(start: Starter, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        reply = await assert_alone(start, upstream.url("/v1"), fault, stream=stream)
        assert len(upstream.requests) == fault.tries
        if fault.status in (429, 503):
            assert 1 <= int(reply.headers["retry-after"]) <= 600
            assert int(reply.headers["retry-after-ms"]) <= 600_000


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_status_with_a_fallback(start: Starter, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_falls_back(start, upstream.url("/v1"), fault, stream=stream)
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "6.2"}, 7),
        ({"retry-after-ms": "6500"}, 7),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "86400"}, 600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e999"}, None),
        ({}, None),
    ],
)
async def test_u23_u24_when_to_come_back_is_told_in_whole_seconds(
    start: Starter, headers: Mapping[str, str], told: int | None
) -> None:
    """None: what is garbage counts for nothing; then it is the breaker's cooldown, 15 s."""
    async with ScriptedUpstream(error_answer(429, headers=headers)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        began = asyncio.get_running_loop().time()
        reply = await gateway.chat()
        assert_error(reply, 429, "upstream_rate_limited")
        assert int(reply.headers["retry-after"]) == (told or 15)
        assert asyncio.get_running_loop().time() - began < 5, "nobody is waited for who wants more than 2 s"


@pytest.mark.parametrize("client", ["own", "aiohttp"])
@pytest.mark.parametrize(("ahead_s", "least", "most"), [(60, 50, 60), (-60, 1, 1), (86_400, 600, 600)])
async def test_u23_a_date_without_the_answers_own_is_read_by_our_clock(
    start: Starter, client: str, ahead_s: int, least: int, most: int
) -> None:
    """As RFC 9110 has it: who receives an answer without `date` takes the time of its arrival for it."""
    then = formatdate(time.time() + ahead_s, usegmt=True)
    async with ScriptedUpstream(error_answer(429, headers={"retry-after": then})) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, upstream={"client": client})
        reply = await gateway.chat()
        assert_error(reply, 429, "upstream_rate_limited")
        assert least <= int(reply.headers["retry-after"]) <= most


GOOGLES = {
    "error": {
        "code": 429,
        "message": "Resource has been exhausted",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}],
    }
}


async def test_u23_google_says_when_to_come_back_in_the_body(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(GOOGLES, status=429)) as upstream:
        google = {"dialect": "google", "base_url": upstream.url(), "api_key": PROVIDER_KEY}
        gateway = await start({"main": upstream.url("/v1")}, providers={"demo": {"dialect": "echo"}, "main": google})
        reply = await gateway.chat()
        assert_error(reply, 429, "upstream_rate_limited")
        assert reply.headers["retry-after"] == "35"
        assert 33_000 < int(reply.headers["retry-after-ms"]) <= 34_070
        assert len(upstream.requests) == 1


async def test_u23_a_short_wait_is_waited_for_where_nobody_else_is(start: Starter) -> None:
    throttled = error_answer(429, headers={"retry-after-ms": "300"})
    async with ScriptedUpstream(throttled, json_answer(completion(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        began = asyncio.get_running_loop().time()
        reply = await gateway.chat()
        took_ms = (asyncio.get_running_loop().time() - began) * 1000
        assert (reply.status, reply.text, reply.headers["x-gaia-attempts"]) == (200, ANSWER, "2")
        assert float(reply.headers["x-gaia-overhead-ms"]) < took_ms - 290, "the wait was the provider's wish"
        assert attempts(gateway) == {("main", "http_429"): 1, ("main", "ok"): 1}


async def test_u25_a_refused_key_is_told_to_the_operator_alone(start: Starter) -> None:
    refused = error_answer(401, message=f"Incorrect API key provided: {PROVIDER_KEY}", code="invalid_api_key")
    async with ScriptedUpstream(refused) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat()
        assert_error(reply, 502, "upstream_auth_error")
        assert reply.headers["x-should-retry"] == "false"
        assert b"sk-" not in reply.body


@both
@pytest.mark.parametrize("status", [400, 422, 413])
async def test_u26_the_callers_fault_goes_back_as_it_is(start: Starter, status: int, stream: bool) -> None:
    said = error_answer(status, message="`temperature` must be at most 2", code="bad_value")
    async with ScriptedUpstream(said) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": upstream.url("/v1"), "backup": backup.url("/v1")})
        reply = await gateway.chat("fb", stream=stream)
        assert_error(reply, status, "bad_value")
        assert reply.error["message"] == "`temperature` must be at most 2"
        assert reply.headers["x-gaia-error-source"] == "upstream"
        assert (len(upstream.requests), len(backup.requests)) == (1, 0)
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["attempts"]) == (status, "error", 1)
        assert_tokens(record)
        assert attempts(gateway) == {("main", "http_4xx"): 1}
        assert gateway.metric("breaker_state", provider="main") == 0


async def test_u26_a_message_that_quotes_a_key_is_cut(start: Starter) -> None:
    said = error_answer(400, message=f"bad header: {PROVIDER_KEY} at https://internal.example.com/v1")
    async with ScriptedUpstream(said) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat()
        assert_error(reply, 400, None)
        assert b"internal.example.com" not in reply.body


ENDLESS_ERROR: list[Step] = [
    Send(head(500, {"content-type": "application/json", "transfer-encoding": "chunked"})),
    Send(chunk(b'{"error": "' + b"x" * 16_000), times=None),
]


@pytest.mark.parametrize(
    "script",
    [
        answer(b"<html><h1>502 Bad Gateway</h1></html>", status=500, headers={"content-type": "text/html"}),
        answer(b"", status=500),
        answer(b"\xff\xfe{", status=500, headers={"content-type": "application/json"}),
        json_answer([{"error": {"message": "listed"}}], status=500),
        ENDLESS_ERROR,
    ],
    ids=["html", "empty", "garbage", "list", "endless"],
)
async def test_u28_an_error_body_of_any_kind_is_as_its_status(start: Starter, script: list[Step]) -> None:
    fault = Fault("error body", script, 502, "upstream_error", "http_5xx")
    async with ScriptedUpstream(script) as upstream:
        reply = await assert_alone(start, upstream.url("/v1"), fault, stream=False)
        assert b"<h1>" not in reply.body
        assert all(connection.sent < 8 * 2**20 for connection in upstream.connections)


async def test_u29_one_failure_then_fine_is_a_success(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(500), json_answer(completion(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat()
        assert (reply.status, reply.text, reply.headers["x-gaia-attempts"]) == (200, ANSWER, "2")
        record = await gateway.record()
        assert (record["outcome"], record["attempts"]) == ("ok", 2)
        assert_tokens(record, in_uncached=7, out_visible=3)
        assert attempts(gateway) == {("main", "http_5xx"): 1, ("main", "ok"): 1}


async def test_u30_an_outage_is_not_multiplied_by_retries(start: Starter) -> None:
    """Once the breaker is open a request costs the provider next to nothing, and the caller no time."""
    async with ScriptedUpstream(error_answer(503)) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")},
            defaults={"retry": {"backoff": "1ms", "max_backoff": "2ms"}, "breaker": {"cooldown": "60s"}},
        )
        replies = [await gateway.chat() for _ in range(40)]
        assert {reply.status for reply in replies} == {503}
        assert [reply.error["code"] for reply in replies[-20:]].count("no_healthy_upstream") >= 19
        assert len(upstream.requests) <= 10
        assert gateway.metric("breaker_state", provider="main") == 2
        assert len(await gateway.records()) == 40


async def test_u31_a_provider_that_comes_back_is_used_again(start: Starter) -> None:
    failing = [error_answer(500)] * 6
    async with ScriptedUpstream(*failing, json_answer(completion(ANSWER))) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")},
            defaults={"retry": {"backoff": "1ms"}, "breaker": {"failures": 5, "cooldown": "50ms"}},
        )
        for _ in range(3):
            assert (await gateway.chat()).status in (502, 503)
        assert gateway.metric("breaker_state", provider="main") > 0
        async with asyncio.timeout(BOUND_S):
            while (await gateway.chat()).status != 200:
                pass
        for _ in range(2):
            assert (await gateway.chat()).status == 200
        assert gateway.metric("breaker_state", provider="main") == 0


async def test_u32_a_hanging_primary_stops_costing_time(start: Starter) -> None:
    timeouts = QUICK["timeouts"]
    async with ScriptedUpstream([Hang()]) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start(
            {"main": upstream.url("/v1"), "backup": backup.url("/v1")},
            defaults={"timeouts": timeouts, "breaker": {"failures": 3, "cooldown": "60s"}},
        )
        loop = asyncio.get_running_loop()
        for _ in range(3):
            assert (await gateway.chat("fb")).text == BACKUP_ANSWER
        took = []
        for _ in range(5):
            began = loop.time()
            assert (await gateway.chat("fb")).text == BACKUP_ANSWER
            took.append(loop.time() - began)
        assert min(took) < 0.08, "the primary is not even tried"
        assert len(upstream.requests) == 3
