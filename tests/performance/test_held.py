"""What an open stream holds of its request: a long prompt is there once, not once more as it was sent."""

from __future__ import annotations

import json
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
KEPT: Final = sse({"type": "response.created", "response": {"id": "resp_1"}, "sequence_number": 0}) + sse(
    {"type": "response.output_text.delta", "delta": " word", "sequence_number": 1}
)


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


async def assert_held_once(start: Starter, provider: str, first: bytes, asked: bytes, path: str) -> None:
    script: Script = [Send(SSE_HEAD + chunk(first)), Hang()]
    async with ScriptedUpstream(lambda _: script) as upstream:
        gateway = await start({"main": upstream.url("/v1" if provider == "openai" else "")}, main=provider, **UNLIMITED)
        async with Caller(gateway.port, gateway.key, path) as caller:
            with traced():
                await caller.ask(asked, until=b" word")
                assert copies_held() == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
async def test_an_open_stream_holds_its_prompt_once(start: Starter, provider: str) -> None:
    asked = body(stream=True, messages=[{"role": "user", "content": PROMPT}])
    await assert_held_once(start, provider, FIRST_WORD[provider], asked, "/v1/chat/completions")


async def test_the_stream_of_a_kept_answer_too(start: Starter) -> None:
    asked = json.dumps({"model": "alone", "stream": True, "input": PROMPT}, separators=(",", ":")).encode()
    await assert_held_once(start, "openai", KEPT, asked, "/v1/responses")
