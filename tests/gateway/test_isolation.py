"""What belongs to one caller reaches no other, and no secret comes out however the requests end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gaiarouter.config.settings import Limits
from gaiarouter.pipeline.runner import Stage
from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, completion
from tests.gateway.running import ANSWER, BACKUP_KEY, PROMPT, PROVIDER_KEY, QUICK, Starter, chat_body
from tests.support.script import (
    SSE_HEAD,
    Close,
    Hang,
    Reset,
    Script,
    Send,
    Until,
    chunk,
    error_answer,
    json_answer,
    sse,
    sse_answer,
)
from tests.support.upstream import Received, ScriptedUpstream

STREAMS = 50


async def test_fifty_streams_at_once_each_hold_their_own(start: Starter) -> None:
    """All are open at the same time, over pooled connections, and their events interleave."""
    go = asyncio.Event()

    def script(request: Received) -> Script:
        said = request.json()["messages"][0]["content"]
        events = [sse(chunk_of(f"{said}:{number};")) for number in range(20)]
        return [
            Send(SSE_HEAD + chunk(ROLE + events[0])),
            Until(go),
            *(Send(chunk(event)) for event in [*events[1:], FINISH, DONE]),
            Send(b"0\r\n\r\n"),
        ]

    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, limits={"concurrent": STREAMS, "requests": "unlimited"})

        async def ask(canary: str) -> tuple[str, str]:
            body: dict[str, Any] = {"model": "alone", "messages": [{"role": "user", "content": canary}]}
            reply = await gateway.post({**body, "stream": True})
            return canary, reply.text

        async def all_asked(rounds: int) -> None:
            await upstream.until(lambda: len(upstream.requests) == rounds * STREAMS)

        for number in (1, 2):
            go.clear()
            asks = [asyncio.create_task(ask(f"canary-{number}-{caller}")) for caller in range(STREAMS)]
            await all_asked(number)
            assert gateway.gateway.data_plane.running == STREAMS
            go.set()
            for canary, text in await asyncio.gather(*asks):
                assert text == "".join(f"{canary}:{number};" for number in range(20))
        assert len(await gateway.records()) == 2 * STREAMS


async def test_a_busy_key_does_not_slow_another(start: Starter) -> None:
    async with ScriptedUpstream([Hang()]) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": {"first_byte": "9s"}})
        busy = await gateway.mint(limits=Limits(requests=None, tokens=None, concurrent=100))
        asks = [
            asyncio.create_task(gateway.post(chat_body("alone"), headers={"authorization": f"Bearer {busy}"}))
            for _ in range(50)
        ]
        await upstream.until(lambda: len(upstream.requests) == 50)
        assert (await gateway.chat("demo")).status == 200
        for task in asks:
            task.cancel()
        await asyncio.wait(asks)


ENDINGS: tuple[Script, ...] = (
    json_answer(completion(ANSWER)),
    sse_answer([ROLE, sse(chunk_of(ANSWER)), FINISH, DONE]),
    [Send(SSE_HEAD + chunk(ROLE + sse(chunk_of(ANSWER)))), Reset()],
    [Send(SSE_HEAD + chunk(sse(chunk_of(ANSWER)) + sse(b"{" + ANSWER.encode())))],
    [Close()],
    [Send(b"HTTP/1.1 200 OK\r\nx-key: " + PROVIDER_KEY.encode() + b"\r\nbroken\r\n\r\n")],
    error_answer(401, message=f"Incorrect API key provided: {PROVIDER_KEY}"),
    error_answer(429, message=f"Rate limit for {PROVIDER_KEY} on https://internal.example.com"),
    error_answer(400, message=f"{PROVIDER_KEY} sent {PROMPT}"),
    error_answer(500, message=f"Traceback: key={PROVIDER_KEY} {ANSWER}"),
    json_answer({"error": {"message": f"Bearer {PROVIDER_KEY}", "code": 500}}),
    json_answer([f"{PROVIDER_KEY} {ANSWER}"]),
)


async def test_no_secret_comes_out_whatever_the_ending(start: Starter) -> None:
    """The log is at DEBUG. What is checked is checked at the end of each test: see running.py."""
    for script in ENDINGS:
        async with ScriptedUpstream(script) as upstream:
            gateway = await start({"main": upstream.url("/v1"), "backup": upstream.url("/v1")}, defaults=QUICK)
            for stream in (False, True):
                reply = await gateway.chat("fb", stream=stream)
                assert PROVIDER_KEY.encode() not in reply.body
                assert b"internal.example.com" not in reply.body
            await gateway.request("POST", f"/v1/chat/completions?key={gateway.key}", data=PROMPT.encode())
            await gateway.post(PROMPT.encode())
            await gateway.post(b"x", headers={"x-api-key": BACKUP_KEY, "cookie": PROMPT})


async def test_a_bug_of_ours_tells_the_caller_nothing_and_the_log_no_secret(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that fails with the caller's words in its exception; the trace is the log's alone."""
    gateway = await start()
    stages = gateway.gateway.data_plane._service().stages

    class Broken(Stage):
        async def request(self, exchange: object) -> None:
            raise KeyError(f"stage made a mistake with {gateway.key}")

        def finish(self, exchange: object) -> None:
            raise ValueError("and another")

    broken = Broken()
    with monkeypatch.context() as patch:
        patch.setattr(stages, "requested", (*stages.requested[:2], broken, *stages.requested[2:]))
        patch.setattr(stages, "finished", (broken, *stages.finished))
        reply = await gateway.chat("demo")
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert "mistake with" not in reply.error["message"]
    record = await gateway.record()
    assert (record["status"], record["error"]) == (500, "internal_error")
    assert b"request.bug" in gateway.log.getvalue()
    assert b"stage.finish_failed" in gateway.log.getvalue()
