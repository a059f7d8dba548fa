"""A provider refuses what a table said that it takes: callers get their answers all the same, told what is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.gateway.test_translation import STOP, WHOLE
from tests.support.gateway import running_gateway
from tests.support.script import Script, json_answer, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

TRIES = "gaiarouter_upstream_attempts_total"
REFUSAL = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    },
}
ASKED: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "messages": [{"role": "user", "content": "Hello"}],
    "reasoning_effort": "xhigh",
    "stream": True,
}


def script(request: Received) -> Script:
    """Of a model that is older than the table thinks."""
    is_known = request.json()["output_config"]["effort"] != "xhigh"
    return sse_answer(WHOLE) if is_known else json_answer(REFUSAL, status=400)


async def test_a_stale_row_costs_one_more_attempt_and_no_caller_an_answer(tmp_path: Path) -> None:
    async with ScriptedUpstream(script) as upstream:
        config = {
            "providers": {"anthropic": {"base_url": upstream.url(), "api_key": "k"}},
            "routes": [{"match": "*", "targets": [{"provider": "anthropic"}]}],
        }
        async with running_gateway(config, tmp_path) as gateway:
            for attempts in (2, 1):
                async with gateway.post(json=ASKED) as response:
                    body = await response.read()
                assert response.status == 200
                assert response.headers["x-gaia-dropped"] == "reasoning_effort"
                assert body.endswith(b"data: [DONE]\n\n")
                assert STOP not in body
                record = (await gateway.records(3 - attempts))[-1]
                assert (record["attempts"], record["outcome"]) == (attempts, "ok")
            efforts = [json.loads(each.body)["output_config"]["effort"] for each in upstream.requests]
            assert efforts == ["xhigh", "max", "max"]
            assert gateway.metric(TRIES, provider="anthropic", outcome="mended") == 1
            assert gateway.metric(TRIES, provider="anthropic", outcome="ok") == 2


BOUND = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "messages.1.content.0: Invalid `signature`. The block is bound to a different conversation.",
    },
}
THOUGHT = {"type": "reasoning.text", "text": "Hm.", "signature": "S", "format": "anthropic-claude-v1", "index": 0}
EDITED: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "messages": [
        {"role": "user", "content": "Hello, edited"},
        {"role": "assistant", "content": "Hi.", "reasoning_details": [THOUGHT]},
        {"role": "user", "content": "So?"},
    ],
    "stream": True,
}


def bound(request: Received) -> Script:
    """Of an account that checks what thinking belongs to."""
    drops = request.json().get("thinking", {}).get("block_binding") == {"prefix_mismatch_behavior": "drop_block"}
    is_allowed = request.headers.get("anthropic-beta") == "thinking-binding-controls-2026-08-01"
    return sse_answer(WHOLE) if drops and is_allowed else json_answer(BOUND, status=400)


@pytest.mark.parametrize(("budget", "status", "calls"), [(2, 200, 2), (1, 400, 1)])
async def test_thinking_that_is_bound_elsewhere_is_left_out_by_the_provider(
    tmp_path: Path, budget: int, status: int, calls: int
) -> None:
    async with ScriptedUpstream(bound) as upstream:
        config = {
            "providers": {"anthropic": {"base_url": upstream.url(), "api_key": "k"}},
            "routes": [{"match": "*", "targets": [{"provider": "anthropic"}], "retry": {"attempts": budget}}],
        }
        async with running_gateway(config, tmp_path) as gateway:
            with capture_logs() as logs:
                async with gateway.post(json=EDITED) as response:
                    await response.read()
            assert (response.status, len(upstream.requests)) == (status, calls)
            assert gateway.metric(TRIES, provider="anthropic", outcome="mended") == 1
    told = [line for line in logs if line["log_level"] == "error"]
    assert [line["event"] for line in told] == ["thinking.bound_elsewhere"]
    assert "edited" not in str(told)
