"""The endings of streams that docs/streaming.md names are those that callers of each format see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.pages.blocks import pages
from tests.support.gateway import running_gateway
from tests.support.script import sse, sse_answer
from tests.support.upstream import ScriptedUpstream

SAID = [{"role": "user", "content": "Hello"}]
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "Chat": ("/v1/chat/completions", {"model": "m", "stream": True, "messages": SAID}),
    "Completions": ("/v1/completions", {"model": "m", "stream": True, "prompt": "Hello"}),
    "Responses": ("/v1/responses", {"model": "m", "stream": True, "input": "Hello"}),
    "Messages": ("/v1/messages", {"model": "m", "stream": True, "max_tokens": 9, "messages": SAID}),
    "Gemini": ("/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "Hello"}]}]}),
}
"""By format: where it is asked, and what."""
CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "model": "m"}
CONTENT = sse({**CHUNK, "choices": [{"index": 0, "delta": {"content": "Ahoy"}, "finish_reason": None}]})
END = sse({**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, b"[DONE]")


def endings() -> dict[str, tuple[str, str]]:
    """By format: what a whole answer, and one that broke off, ends with."""
    page = dict(pages())["docs/streaming.md"]
    rows = re.findall(r"^\| ([\w, ]+) \| `(.+?)` \| `(.+?)` \| .+ \|$", page, re.MULTILINE)
    return {name: (whole, broken) for names, whole, broken in rows for name in names.split(", ")}


def test_every_format_has_its_row() -> None:
    assert endings().keys() == ASKED.keys()


@pytest.mark.parametrize("ending", [0, 1], ids=["whole", "broken"])
async def test_streams_end_as_the_page_says(ending: int, tmp_path: Path) -> None:
    async with ScriptedUpstream(sse_answer([CONTENT, END][: 2 - ending])) as upstream:
        provider = {"dialect": "openai", "base_url": upstream.url("/v1"), "speaks": ["chat"]}
        table = {"providers": {"p": provider}, "routes": [{"match": "*", "targets": [{"provider": "p"}]}]}
        async with running_gateway(table, tmp_path) as gateway:
            for name, (path, body) in ASKED.items():
                async with gateway.post(path, json=body) as answer:
                    streamed = await answer.text()
                last = streamed.rstrip().rpartition("\n\n")[2]
                assert "Ahoy" in streamed
                assert endings()[name][ending] in last, name
                assert endings()[name][1 - ending] not in last, name
