"""What a request leaves behind: objects that hold each other are freed late, all at once, and cold."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.gateway.faults import completion, healthy
from tests.gateway.running import Starter
from tests.performance.calls import Caller
from tests.performance.test_hot_path import UNLIMITED, body
from tests.support.upstream import ScriptedUpstream

TIMES = 20


@contextmanager
def left_behind() -> Iterator[Counter[str]]:
    """What only the collector can free of what the context makes, by type."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_leaves_nothing_to_the_collector(start: Starter, stream: bool) -> None:
    said = "It passes requests on."
    end = b"data: [DONE]\n\n\r\n0\r\n\r\n" if stream else json.dumps(completion(said)).encode()[-30:]
    async with ScriptedUpstream(healthy(said)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            for _ in range(3):
                await caller.ask(body(stream=stream), until=end)
            with left_behind() as found:
                for _ in range(TIMES):
                    await caller.ask(body(stream=stream), until=end)
    each = {name: count / TIMES for name, count in found.items() if count >= TIMES / 2}
    assert each == {}


async def test_what_is_left_behind_is_seen() -> None:
    with left_behind() as found:
        for _ in range(TIMES):
            one: list[object] = []
            one.append(one)
            del one
    assert found["list"] == TIMES
