"""A Chat caller in front of a target that speaks Anthropic's Messages: what goes wrong, and where it falls back to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.script import SSE_HEAD, Close, Script, Send, Until, chunk, json_answer, sse_answer
from tests.support.upstream import ScriptedUpstream

USER = {"role": "user", "content": "Hello"}


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


START = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    },
)
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
HELLO = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hello"})
SHUT = event("content_block_stop", index=0)
END = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3})
STOP = event("message_stop")
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
WHOLE = (START, OPEN, HELLO, SHUT, END, STOP)

CHAT_ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "backup"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@asynccontextmanager
async def scene(folder: Path, script: Script) -> AsyncIterator[tuple[RunningGateway, ScriptedUpstream]]:
    """`claude` is served by Messages alone; `fb` has a Chat target behind it."""
    async with ScriptedUpstream(script) as main, ScriptedUpstream(json_answer(CHAT_ANSWER)) as backup:
        config = {
            "providers": {
                "anthropic": {"base_url": main.url(), "api_key": "k-anthropic"},
                "backup": {"dialect": "openai", "base_url": backup.url("/v1"), "api_key": "k-backup"},
            },
            "routes": [
                {"match": "claude", "targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]},
                {
                    "match": "strict",
                    "targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}],
                    "unsupported": "error",
                },
                {
                    "match": "fb",
                    "targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}],
                    "fallbacks": [{"provider": "backup", "model": "m"}],
                },
            ],
            "defaults": {"retry": {"attempts": 2, "per_target": 1}},
        }
        async with running_gateway(config, folder) as gateway:
            yield gateway, main


async def ask(gateway: RunningGateway, model: str = "claude", **members: Any) -> tuple[int, Any, bytes]:
    async with gateway.post(json={"model": model, "messages": [USER], **members}) as response:
        return response.status, response.headers, await response.read()


def data_of(body: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]


async def test_a_field_that_cannot_be_carried_over_is_refused_before_any_call(tmp_path: Path) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, upstream):
        status, _, body = await ask(gateway, n=2)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["param"]) == (400, "unsupported_parameter", "n")
        assert upstream.requests == []
        (record,) = await gateway.records(1)
        assert (record["status"], record["attempts"], record["outcome"]) == (400, 0, "error")


async def test_a_field_that_is_left_out_is_named(tmp_path: Path) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, upstream):
        status, headers, _ = await ask(gateway, stream=True, seed=7, presence_penalty=0.5)
        assert status == 200
        assert set(headers["x-gaia-dropped"].split(", ")) == {"seed", "presence_penalty"}
        assert "seed" not in upstream.requests[0].json()


async def test_a_strict_route_refuses_what_would_be_left_out(tmp_path: Path) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, upstream):
        status, _, body = await ask(gateway, "strict", stream=True, seed=7)
        error = json.loads(body)["error"]
        assert (status, error["code"], error["param"]) == (400, "unsupported_parameter", "seed")
        assert upstream.requests == []
        assert (await ask(gateway, "strict", stream=True))[0] == 200


async def test_a_strict_key_refuses_what_would_be_left_out_on_every_route(tmp_path: Path) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, upstream):
        key = await gateway.mint(unsupported="error")
        headers = {"authorization": f"Bearer {key}"}
        body = {"model": "claude", "messages": [USER], "stream": True}
        async with gateway.post(json={**body, "seed": 7}, headers=headers) as refused:
            error = (await refused.json())["error"]
        assert (refused.status, error["code"], error["param"]) == (400, "unsupported_parameter", "seed")
        assert upstream.requests == []
        async with gateway.post(json=body, headers=headers) as taken:
            assert taken.status == 200


async def test_the_key_and_the_version_go_where_the_format_has_them(tmp_path: Path) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, upstream):
        await ask(gateway, stream=True)
        sent = upstream.requests[0]
        assert sent.path == "/v1/messages"
        assert sent.headers["x-api-key"] == "k-anthropic"
        assert "authorization" not in sent.headers
        assert sent.headers["anthropic-version"] in ("2023-06-01", "2026-10-21")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "script",
    [
        sse_answer([OVERLOADED]),
        sse_answer([START, OPEN, OVERLOADED]),
        sse_answer([START]),
        json_answer({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, status=529),
        json_answer({"type": "error", "error": {"type": "authentication_error", "message": "bad k"}}, status=401),
        (Close(),),
    ],
    ids=["error first", "error before content", "cut before content", "529", "401", "closed"],
)
async def test_what_fails_before_content_falls_back_to_another_format(
    tmp_path: Path, script: Script, stream: bool
) -> None:
    async with scene(tmp_path, script) as (gateway, _):
        status, headers, body = await ask(gateway, "fb", stream=stream)
        assert (status, headers["x-gaia-provider"], headers["x-gaia-attempts"]) == (200, "backup", "2")
        assert b"backup" in body
        assert b"Overloaded" not in body


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ([Send(chunk(OVERLOADED))], "upstream_overloaded"),
        ([Close()], "upstream_stream_interrupted"),
    ],
    ids=["error", "cut"],
)
async def test_what_fails_after_content_ends_with_an_error_event(tmp_path: Path, end: Script, code: str) -> None:
    seen = asyncio.Event()
    script = (Send(SSE_HEAD), Send(chunk(START + OPEN + HELLO)), Until(seen), *end)
    async with scene(tmp_path, script) as (gateway, _):
        async with gateway.post(json={"model": "fb", "messages": [USER], "stream": True}) as response:
            assert response.status == 200
            body = await response.content.readany()
            seen.set()
            body += await response.read()
        *_, last = data_of(body)
        assert last["error"]["code"] == code
        assert b"[DONE]" not in body
        (record,) = await gateway.records(1)
        assert (record["outcome"], record["status"], record["in_uncached"]) == ("interrupted", 200, 9)


@pytest.mark.parametrize("asked", [False, True])
async def test_usage_is_counted_always_and_told_where_asked(tmp_path: Path, asked: bool) -> None:
    async with scene(tmp_path, sse_answer(WHOLE)) as (gateway, _):
        _, _, body = await ask(gateway, stream=True, stream_options={"include_usage": asked})
        told = [chunk["usage"] for chunk in data_of(body) if chunk.get("usage")]
        assert [(usage["prompt_tokens"], usage["completion_tokens"]) for usage in told] == ([(9, 3)] if asked else [])
        (record,) = await gateway.records(1)
        assert (record["in_uncached"], record["out_visible"], record["estimated"]) == (9, 3, 0)
