"""What an open stream holds of its request: a long prompt is there once, not once more as it was sent."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp
import pytest

import gaiarouter
from tests.gateway.faults import ROLE, chunk_of
from tests.gateway.running import Starter
from tests.performance.calls import Caller
from tests.performance.test_hot_path import UNLIMITED, body
from tests.performance.test_translated_path import BEGINNINGS
from tests.support.script import SSE_HEAD, Hang, Script, Send, chunk, sse
from tests.support.upstream import ScriptedUpstream

PROMPT: Final = "All work and no play makes a dull gateway. " * 4000
_PLACES: Final = [
    tracemalloc.Filter(inclusive=True, filename_pattern=f"{Path(module.__file__ or '').parent}/*")
    for module in (gaiarouter, aiohttp)
]
FIRST_WORD: Final = {"openai": ROLE + sse(chunk_of(" word")), **BEGINNINGS}


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def copies_held() -> int:
    """Blocks as large as the prompt that the gateway has made and not freed."""
    traces = tracemalloc.take_snapshot().filter_traces(_PLACES).traces
    return sum(trace.size >= len(PROMPT) for trace in traces)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
async def test_an_open_stream_holds_its_prompt_once(start: Starter, provider: str) -> None:
    script: Script = [Send(SSE_HEAD + chunk(FIRST_WORD[provider])), Hang()]
    asked = body(stream=True, messages=[{"role": "user", "content": PROMPT}])
    async with ScriptedUpstream(lambda _: script) as upstream:
        gateway = await start({"main": upstream.url("/v1" if provider == "openai" else "")}, main=provider, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            with traced():
                await caller.ask(asked, until=b" word")
                assert copies_held() == 1
