"""The guard of the hot path: what a request and a chunk cost in calls may not grow by more than 5 % unseen.

Who makes it dearer on purpose changes RECORDED in the same commit, and says in its message what for.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Final

import pytest

from tests.gateway.faults import DONE, FINISH, ROLE, USAGE_EVENT, chunk_of, completion, healthy
from tests.gateway.running import Starter
from tests.performance.calls import Caller, Calls, counted
from tests.support.script import LAST_CHUNK, SSE_HEAD, Script, Send, Until, chunk, sse
from tests.support.upstream import Received, ScriptedUpstream

RECORDED: Final = {"request": 424.0, "chunk": 40.0}
"""Calls for each, on the Python that the lock is made with."""
_GROWTH: Final = 1.05
_ELSEWHERE: Final = 1.25
"""Other releases of Python count comprehensions, and what is inlined, in their own way."""
_PYTHON: Final = (3, 11)

PROMPT = "Say in one sentence what a reverse proxy does. " * 4
UNLIMITED = {"limits": {"requests": "1000M/min", "tokens": "1000000M/min", "concurrent": 100_000}}
TIMES: Final = 50


def body(**members: object) -> bytes:
    asked = {"model": "alone", "messages": [{"role": "user", "content": PROMPT}], **members}
    return json.dumps(asked, separators=(",", ":")).encode()


def assert_no_dearer(name: str, calls: Calls, recorded: Mapping[str, float] = RECORDED) -> None:
    allowed = recorded[name] * (_GROWTH if sys.version_info[:2] == _PYTHON else _ELSEWHERE)
    each = calls.total / TIMES
    dearest = "\n".join(f"{count / TIMES:6.1f} {who}" for who, count in calls.by.most_common(60))
    assert each <= allowed, f"a {name} costs {each:.1f} calls, {recorded[name]} are recorded\n{dearest}"


async def test_a_request_costs_no_more_calls_than_recorded(start: Starter) -> None:
    end = json.dumps(completion("It passes requests on.")).encode()[-30:]
    async with ScriptedUpstream(healthy("It passes requests on.")) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            for _ in range(5):
                await caller.ask(body(), until=end)
            with counted() as calls:
                for _ in range(TIMES):
                    await caller.ask(body(), until=end)
    assert_no_dearer("request", calls)


async def test_a_chunk_costs_no_more_calls_than_recorded(start: Starter) -> None:
    said = sse(chunk_of(" word"))
    go = [asyncio.Event() for _ in range(TIMES)]

    def script(_: Received) -> Script:
        paced = [step for each in go for step in (Until(each), Send(chunk(said)))]
        return [Send(SSE_HEAD + chunk(ROLE + said)), *paced, Send(chunk(FINISH + USAGE_EVENT + DONE) + LAST_CHUNK)]

    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            await caller.ask(body(stream=True), until=said)
            with counted() as calls:
                for each in go:
                    each.set()
                    await caller.read(said)
            await caller.read(b"[DONE]")
    assert_no_dearer("chunk", calls)


async def test_what_is_dearer_is_noticed() -> None:
    """A tenth more is a tenth more here too: the count does not drown in what is not counted."""
    with counted() as calls:
        await asyncio.sleep(0)
    assert calls.total == 0, "neither the loop nor the test is counted"
    calls.by["everything"] = round(RECORDED["request"] * 1.3 * TIMES)
    with pytest.raises(AssertionError, match="a request costs"):
        assert_no_dearer("request", calls)
