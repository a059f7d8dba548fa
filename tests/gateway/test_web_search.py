"""`web_search_options` of a Chat caller: a provider's own search, only where the operator lets callers use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.test_translation import USER, WHOLE
from tests.support.gateway import running_gateway
from tests.support.script import sse_answer
from tests.support.upstream import ScriptedUpstream

ASKED: dict[str, Any] = {"messages": [USER], "stream": True}
SEARCHING = {
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Bonn"}},
    }
}
GEMINI = b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}\n\n'
CLAUDES = {
    "type": "web_search_20250305",
    "name": "web_search",
    "user_location": {"type": "approximate", "city": "Bonn"},
}


@pytest.mark.parametrize(
    ("vendor", "model", "answer", "tool"),
    [
        ("anthropic", "claude-sonnet-4-5", WHOLE, CLAUDES),
        ("google", "gemini-3-pro", (GEMINI,), {"googleSearch": {}}),
    ],
    ids=["anthropic", "google"],
)
async def test_the_search_is_used_on_the_routes_whose_provider_allows_it(
    tmp_path: Path, vendor: str, model: str, answer: tuple[bytes, ...], tool: dict[str, Any]
) -> None:
    async with ScriptedUpstream(sse_answer(answer)) as upstream:
        made = {"dialect": vendor, "base_url": upstream.url(), "api_key": "k"}
        config = {
            "providers": {"plain": made, "searching": {**made, "web_search": True}},
            "routes": [
                {"match": name, "targets": [{"provider": name, "model": model}]} for name in ("plain", "searching")
            ],
        }
        async with running_gateway(config, tmp_path) as gateway:
            async with gateway.post(json={"model": "plain"} | ASKED | SEARCHING) as response:
                error = json.loads(await response.read())["error"]
            assert (response.status, error["param"], upstream.requests) == (400, "web_search_options", [])
            async with gateway.post(json={"model": "searching"} | ASKED | SEARCHING) as response:
                await response.read()
            assert response.status == 200
            assert upstream.requests[0].json()["tools"] == [tool]
            async with gateway.post(json={"model": "searching"} | ASKED) as response:
                await response.read()
            assert "tools" not in upstream.requests[1].json()
