"""What the log tells of requests and of providers: I12, and what somebody has to know at once."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.faults import completion, healthy
from tests.gateway.running import ANSWER, RunningGateway, Starter
from tests.support.script import answer, json_answer
from tests.support.upstream import ScriptedUpstream

FIELDS = {
    "event", "level", "timestamp", "request_id", "key", "organization", "source", "dialect", "route", "model",
    "provider", "model_served", "attempts", "status", "outcome", "code", "stream", "duration_ms", "ttft_ms",
    "upstream_ms", "tokens_in", "tokens_cached", "tokens_out", "tokens_reasoning", "estimated", "cost_nano_usd",
}  # fmt: skip


def told(gateway: RunningGateway, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, gateway.log.getvalue().splitlines()) if line["event"] == event]


async def test_i12_a_request_is_one_line_with_all_that_is_known_of_it(start: Starter) -> None:
    async with (
        ScriptedUpstream(json_answer({"error": {"message": "down"}}, status=500)) as main,
        ScriptedUpstream(json_answer(completion(ANSWER))) as backup,
    ):
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")})
        reply = await gateway.chat("fb", headers={"x-request-id": "asked-1"})
        assert reply.status == 200
        await gateway.idle()
    (line,) = told(gateway, "request.end")
    assert line.keys() == FIELDS
    usage = reply.json()["usage"]
    expected = {
        "request_id": "asked-1",
        "organization": None,
        "source": "127.0.0.1",
        "dialect": "chat",
        "route": "fb",
        "model": "fb",
        "provider": "backup",
        "model_served": "m-2",
        "attempts": ["main/m-1: http_5xx", "backup/m-2: ok"],
        "status": 200,
        "outcome": "ok",
        "code": None,
        "stream": False,
        "tokens_in": usage["prompt_tokens"],
        "tokens_out": usage["completion_tokens"],
        "estimated": False,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["key"].startswith("key_")
    assert 0 < line["upstream_ms"] <= line["ttft_ms"] <= line["duration_ms"]
    assert [each["outcome"] for each in told(gateway, "attempt.failed")] == ["http_5xx"]


async def test_i12_a_refused_request_is_a_line_too(start: Starter) -> None:
    gateway = await start({}, server={"trusted_proxies": ["127.0.0.1"]})
    sent = {"authorization": "Bearer sk-gaia-wrong", "x-forwarded-for": "198.51.100.7"}
    await gateway.post({"model": "x"}, headers=sent)
    await gateway.idle()
    (line,) = told(gateway, "request.end")
    assert line.keys() == FIELDS
    assert (line["status"], line["code"], line["key"]) == (401, "invalid_api_key", "anonymous")
    assert line["source"] == "198.51.100.7"


async def test_a_breaker_that_opens_and_a_key_that_is_refused_are_told_as_they_happen(start: Starter) -> None:
    async with (
        ScriptedUpstream(json_answer({"error": {"message": "bad key"}}, status=401)) as main,
        ScriptedUpstream(answer(b"", status=503)) as backup,
    ):
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")})
        for _ in range(6):
            await gateway.chat("fb")
        await gateway.idle()
        (refused,) = told(gateway, "provider.key_refused")
        assert (refused["level"], refused["provider"], refused["key_index"], refused["for_s"]) == (
            "error", "main", 0, 60.0,
        )  # fmt: skip
        (opened,) = told(gateway, "breaker.opened")
        assert (opened["level"], opened["target"]) == ("warning", "backup/m-2")


async def test_the_line_of_a_healthy_stream_tells_when_it_spoke(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as main:
        gateway = await start({"main": main.url("/v1")})
        assert (await gateway.chat(stream=True)).status == 200
        await gateway.idle()
    (line,) = told(gateway, "request.end")
    assert (line["stream"], line["outcome"], line["attempts"]) == (True, "ok", ["main/m-1: ok"])
    assert line["ttft_ms"] > 0
