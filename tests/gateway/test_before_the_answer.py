"""Fault matrix, U1 to U14: what may go wrong until an answer has begun."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from tests.gateway.faults import (
    Fault,
    assert_alone,
    assert_falls_back,
    assert_let_go,
    assert_tokens,
    attempts,
    completion,
    healthy,
)
from tests.gateway.running import ANSWER, QUICK, Starter, assert_error
from tests.support import tls
from tests.support.script import Close, Drip, Hang, Reset, Script, Send, Step, head, json_answer
from tests.support.upstream import Received, ScriptedUpstream

BODY = b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}'

FAULTS = [
    Fault("U6 never answers", [Hang()], 504, "upstream_timeout", "timeout_first_byte", tries=1),
    Fault(
        "U7 head drips",
        [Drip(head(200, {"x-slow": "x" * 200}), every_s=0.02)],
        504,
        "upstream_timeout",
        "timeout_first_byte",
        tries=1,
    ),
    Fault("U8 reset after the request", [Reset()], 502, "upstream_protocol_error", "reset"),
    Fault("U8 closed after the request", [Close()], 502, "upstream_protocol_error", "reset"),
    Fault("U10 not HTTP", [Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")], 502, "upstream_protocol_error", "protocol_error"),
    Fault(
        "U10 huge header",
        [Send(head(200, {"x-large": "x" * 2**20})), Hang()],
        502,
        "upstream_protocol_error",
        "protocol_error",
    ),
    Fault(
        "U10 too many headers",
        [Send(head(200, {f"x-{n}": "1" for n in range(200)}))],
        502,
        "upstream_protocol_error",
        "protocol_error",
    ),
    *(
        Fault(
            f"U12 redirect {status}",
            [Send(head(status, {"location": "http://127.0.0.1:1/v1", "content-length": "0"}))],
            502,
            "upstream_protocol_error",
            "protocol_error",
        )
        for status in (301, 302, 307, 308)
    ),
    Fault(
        "U14 length and chunks",
        [Send(head(200, {"content-length": "3", "transfer-encoding": "chunked"}) + b"3\r\nabc\r\n0\r\n\r\n")],
        502,
        "upstream_protocol_error",
        "protocol_error",
    ),
    Fault(
        "U14 two lengths",
        [Send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd")],
        502,
        "upstream_protocol_error",
        "protocol_error",
    ),
]

UNREACHABLE = Fault("unreachable", [], 502, "upstream_connect_error", "connect_error")
UNTRUSTED = Fault("untrusted", [], 502, "upstream_connect_error", "tls_error")
BLACK_HOLE = Fault("black hole", [], 504, "upstream_timeout", "timeout_connect")

PATIENT = {"timeouts": {"connect": "9s", "first_byte": "9s", "idle": "9s", "total": "60s"}}
"""Where time is not what is tested."""

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: the kernel drops further SYNs, as a black hole does."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        port = sock.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        yield port
        for other in waiting:
            other.close()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_client_on_aiohttp_is_right_about_it_too(start: Starter, fault: Fault) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, upstream.url("/v1"), fault, stream=False, upstream={"client": "aiohttp"})
        assert len(upstream.requests) == fault.tries
        await assert_let_go(upstream, fault)


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_before_the_answer_alone(start: Starter, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, upstream.url("/v1"), fault, stream=stream)
        assert len(upstream.requests) == fault.tries
        await assert_let_go(upstream, fault)


@both
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_before_the_answer_with_a_fallback(start: Starter, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_falls_back(start, upstream.url("/v1"), fault, stream=stream)
        assert len(upstream.requests) == 1
        await assert_let_go(upstream, fault)


@both
async def test_u1_nobody_listens(start: Starter, closed_port: int, stream: bool) -> None:
    base = f"http://127.0.0.1:{closed_port}/v1"
    await assert_alone(start, base, UNREACHABLE, stream=stream)
    await assert_falls_back(start, base, UNREACHABLE, stream=stream)


async def test_u1_five_refusals_open_the_breaker(start: Starter, closed_port: int) -> None:
    gateway = await start({"main": f"http://127.0.0.1:{closed_port}/v1"})
    for _ in range(3):
        await gateway.chat("alone")
    assert gateway.metric("breaker_state", provider="main") == 2
    assert_error(await gateway.chat("alone"), 503, "no_healthy_upstream")


@both
async def test_u2_a_name_that_is_none(start: Starter, stream: bool) -> None:
    await assert_alone(start, "http://no-such-host.invalid/v1", UNREACHABLE, stream=stream, defaults=QUICK)
    await assert_falls_back(start, "http://no-such-host.invalid/v1", UNREACHABLE, stream=stream, defaults=QUICK)


@both
@pytest.mark.parametrize("certificate", ["self_signed", "wrong_host", "expired"])
async def test_u3_a_certificate_that_is_not_right(start: Starter, certificate: tls.Certificate, stream: bool) -> None:
    async with ScriptedUpstream(json_answer(completion(ANSWER)), tls=tls.server(certificate)) as upstream:
        await assert_alone(start, upstream.url("/v1"), UNTRUSTED, stream=stream, defaults=PATIENT)
        await assert_falls_back(start, upstream.url("/v1"), UNTRUSTED, stream=stream, defaults=PATIENT)
        assert upstream.requests == []


@both
async def test_u3_plain_text_on_a_tls_port(start: Starter, stream: bool) -> None:
    async with ScriptedUpstream(on_connect=[Send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]) as upstream:
        base = f"https://127.0.0.1:{upstream.port}/v1"
        await assert_alone(start, base, UNTRUSTED, stream=stream, defaults=PATIENT)
        await assert_falls_back(start, base, UNTRUSTED, stream=stream, defaults=PATIENT)


@both
async def test_u4_a_black_hole(start: Starter, full_backlog: int, stream: bool) -> None:
    base = f"http://127.0.0.1:{full_backlog}/v1"
    await assert_alone(start, base, BLACK_HOLE, stream=stream)
    await assert_falls_back(start, base, BLACK_HOLE, stream=stream)


@both
async def test_u5_accepted_and_never_read(start: Starter, stream: bool) -> None:
    fault = Fault("U5", [], 504, "upstream_timeout", "timeout_first_byte", tries=1)
    async with ScriptedUpstream(on_connect=[Hang()]) as upstream:
        await assert_alone(start, upstream.url("/v1"), fault, stream=stream)
        await assert_falls_back(start, upstream.url("/v1"), fault, stream=stream)
        for connection in range(len(upstream.connections)):
            await upstream.client_gone(connection)


async def test_u9_a_pooled_connection_that_went_stale_is_replaced_unseen(start: Starter) -> None:
    answer = [*json_answer(completion(ANSWER)), Close()]
    async with ScriptedUpstream(json_answer(completion(ANSWER)), [Close()], answer) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        assert (await gateway.chat()).status == 200
        reply = await gateway.chat()
        assert (reply.status, reply.text, reply.headers["x-gaia-attempts"]) == (200, ANSWER, "1")
        assert gateway.metric("stale_connection_retries_total") == 1
        assert attempts(gateway) == {("main", "ok"): 2}
        for record in await gateway.records():
            assert_tokens(record, in_uncached=7, out_visible=3)


async def test_n13_a_provider_that_closes_after_every_answer_costs_callers_nothing(start: Starter) -> None:
    """It says nothing of closing: every second use of a connection crosses with that."""

    def script(request: Received) -> Script:
        return [*healthy(ANSWER)(request), Close()]

    async with ScriptedUpstream(script) as upstream:
        many = {"concurrent": "unlimited", "requests": "unlimited", "tokens": "unlimited"}
        gateway = await start({"main": upstream.url("/v1")}, limits=many, defaults=PATIENT)
        for _ in range(25):
            replies = await asyncio.gather(*[gateway.chat(stream=number % 2 == 0) for number in range(40)])
            assert {reply.status for reply in replies} == {200}, [
                reply.body for reply in replies if reply.status != 200
            ]
            assert {(reply.text, reply.broken) for reply in replies} == {(ANSWER, False)}
        assert len(upstream.requests) == 1000
        assert attempts(gateway) == {("main", "ok"): 1000}


@both
async def test_u11_interim_answers_are_passed_over(start: Starter, stream: bool) -> None:
    interim = Send(head(100) + head(103, {"link": "</x>"}))
    async with ScriptedUpstream(lambda request: (interim, *healthy(ANSWER)(request))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat(stream=stream)
        assert (reply.status, reply.text) == (200, ANSWER)
        assert attempts(gateway) == {("main", "ok"): 1}


async def test_t103_u12_a_redirect_takes_neither_prompt_nor_key_along(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(completion(ANSWER))) as thief:
        away = head(307, {"location": thief.url("/v1/chat/completions"), "content-length": "0"})
        async with ScriptedUpstream([Send(away)]) as upstream:
            gateway = await start({"main": upstream.url("/v1")})
            assert_error(await gateway.chat(), 502, "upstream_protocol_error")
            assert thief.connections == []


async def test_u13_an_answer_nobody_asked_for_reaches_nobody(start: Starter) -> None:
    unasked = json_answer(completion("for-somebody-else"))
    doubled = [*json_answer(completion(ANSWER)), *unasked]
    async with ScriptedUpstream(doubled, json_answer(completion(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        for _ in range(3):
            reply = await gateway.chat()
            assert (reply.status, reply.text) == (200, ANSWER)


async def test_the_time_of_a_dripping_target_leaves_the_fallback_its_own(start: Starter) -> None:
    """A body that drips for ever: no limit on a single wait ends it, only the share of the whole."""
    drip: list[Step] = [
        Send(head(200, {"content-type": "application/json", "content-length": "9999"})),
        Drip(b" " * 999, 0.05),
    ]
    timeouts = {"connect": "400ms", "first_byte": "400ms", "idle": "400ms", "total": "4s"}
    fault = Fault("drip", drip, 504, "upstream_timeout", "timeout_first_byte", tries=1)
    async with ScriptedUpstream(drip) as upstream:
        await assert_falls_back(
            start,
            upstream.url("/v1"),
            fault,
            stream=False,
            defaults={"timeouts": timeouts, "retry": {"backoff": "1ms"}},
        )
