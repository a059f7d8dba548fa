"""A provider refuses what a table said that it takes: callers get their answers all the same, told what is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.gateway.test_translation import STOP, WHOLE
from tests.support.gateway import running_gateway
from tests.support.script import Script, json_answer, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

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
            tries = "gaiarouter_upstream_attempts_total"
            assert gateway.metric(tries, provider="anthropic", outcome="mended") == 1
            assert gateway.metric(tries, provider="anthropic", outcome="ok") == 2
