"""Callers that speak Gemini: to a provider of theirs byte for byte, to others translated."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.gateway.running import PROVIDER_KEY, Reply, RunningGateway, Starter
from tests.support.script import Close, json_answer, sse, sse_answer
from tests.support.script import answer as http_answer
from tests.support.upstream import ScriptedUpstream

CONTENTS: list[Any] = [{"role": "user", "parts": [{"text": "Hello"}]}]
USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
SAID = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}
ANSWER = {
    "candidates": [SAID | {"finishReason": "STOP"}],
    "usageMetadata": USAGE,
    "modelVersion": "gemini-x",
    "responseId": "r1",
}
PIECES = [
    {"candidates": [SAID], "responseId": "r1", "modelVersion": "gemini-x"},
    {"candidates": [SAID | {"content": {"role": "model", "parts": [{"text": " you"}]}}]},
    {"candidates": [SAID | {"content": {"role": "model"}, "finishReason": "STOP"}], "usageMetadata": USAGE},
]
STREAM = [f"data: {json.dumps(each)}\r\n\r\n".encode() for each in PIECES]
GENERATE = "/v1beta/models/alone:generateContent"
EVENTS = "/v1beta/models/alone:streamGenerateContent?alt=sse"
ARRAY = "/v1beta/models/alone:streamGenerateContent"


async def serving(start: Starter, upstream: ScriptedUpstream, dialect: str = "google") -> RunningGateway:
    base = upstream.url("/v1" if dialect == "openai" else "")
    providers = {"demo": {"dialect": "echo"}, "main": {"dialect": dialect, "base_url": base, "api_key": PROVIDER_KEY}}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": "gemini-3-flash-preview"}]},
        {"match": "team/model:free", "targets": [{"provider": "main", "model": "gemini-3-flash-preview"}]},
    ]
    return await start({"main": upstream.url("")}, providers=providers, routes=routes)


@asynccontextmanager
async def client(gateway: RunningGateway, key: str | None = None, **options: Any) -> AsyncIterator[Any]:
    async with httpx2.AsyncClient() as http:
        connection = types.HttpOptions(base_url=gateway.url(""), httpx_async_client=http, **options)
        yield genai.Client(api_key=key or gateway.key, http_options=connection).aio


def elements(reply: Reply) -> list[Any]:
    assert reply.headers["content-type"].startswith("application/json")
    found: list[Any] = json.loads(reply.body)
    return found


@pytest.mark.parametrize("options", [{}, {"api_version": "v1beta"}, {"api_version": "v1"}])
async def test_the_official_client_reads_an_answer_of_its_own_provider(start: Starter, options: Any) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway, **options) as official:
            answer = await official.models.generate_content(model="alone", contents="Hello")
        sent = upstream.requests[0]
    assert answer.text == "Hello"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 9
    assert sent.path == "/v1beta/models/gemini-3-flash-preview:generateContent"
    assert sent.headers["x-goog-api-key"] == PROVIDER_KEY
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"]) == (9, 3)


async def test_the_official_client_reads_a_stream_of_its_own_provider(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(STREAM)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            stream = await official.models.generate_content_stream(model="alone", contents="Hello")
            texts = [chunk.text or "" async for chunk in stream]
        sent = upstream.requests[0]
    assert "".join(texts) == "Hello you"
    assert sent.path == "/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("prefix", ["/v1beta/models/", "/v1/models/"])
async def test_t81_the_name_of_a_model_may_hold_slashes_and_colons(start: Starter, prefix: str) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        for name in ("team/model:free", "team%2Fmodel%3Afree"):
            reply = await gateway.post({"contents": CONTENTS}, path=f"{prefix}{name}:generateContent")
            assert reply.status == 200, reply.body


async def test_the_key_may_stand_in_the_address_and_is_not_sent_on(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        path = f"{GENERATE}?key={gateway.key}"
        body = json.dumps({"contents": CONTENTS}).encode()
        reply = await gateway.request("POST", path, headers={"content-type": "application/json"}, data=body)
        assert reply.status == 200, reply.body
        sent = upstream.requests[0]
    assert gateway.key not in sent.path


async def test_a_stream_that_is_not_asked_for_as_events_is_an_array(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(STREAM)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"contents": CONTENTS}, path=ARRAY)
        sent = upstream.requests[0]
    assert elements(reply) == PIECES
    assert sent.path.endswith("alt=sse")


@pytest.mark.parametrize("cut", range(len(STREAM) - 1))
async def test_t33_a_stream_that_breaks_off_ends_with_an_error(start: Starter, cut: int) -> None:
    async with ScriptedUpstream((*sse_answer(STREAM[: cut + 1], end=False), Close())) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            with pytest.raises(errors.APIError):  # the error may come with the head or with an event
                async for _ in await official.models.generate_content_stream(model="alone", contents="Hello"):
                    pass
        array = elements(await gateway.post({"contents": CONTENTS}, path=ARRAY))
    assert array[:-1] == PIECES[: cut + 1]
    assert array[-1]["error"] == {"code": 502, "status": "INTERNAL", "message": array[-1]["error"]["message"]}


async def test_t33_a_stream_without_an_ending_is_no_answer(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(STREAM[:1])) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"contents": CONTENTS}, path=EVENTS)
    assert reply.events[-1]["error"]["status"] == "INTERNAL"


@pytest.mark.parametrize("path", [EVENTS, ARRAY])
async def test_t34_an_error_as_the_first_event_is_an_answer_with_its_status(start: Starter, path: str) -> None:
    overloaded = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    async with ScriptedUpstream(sse_answer([f"data: {json.dumps(overloaded)}\r\n\r\n".encode()])) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"contents": CONTENTS}, path=path)
    assert (reply.status, reply.json()["error"]["status"]) == (503, "UNAVAILABLE")


async def test_t75_a_refusal_of_the_provider_goes_on_in_its_own_bytes(start: Starter) -> None:
    said = b'{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens '
    said += b'allowed (8).",  "status": "INVALID_ARGUMENT"}}'
    script = http_answer(said, status=400, headers={"content-type": "application/json"})
    async with ScriptedUpstream(script) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"contents": CONTENTS}, path=GENERATE)
    assert (reply.status, reply.body) == (400, said)


async def test_t68_a_key_that_the_provider_refuses_is_not_the_callers_fault(start: Starter) -> None:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    refusal = {"error": {"code": 400, "message": "API key AIza123 not valid.", "details": [reason]}}
    async with ScriptedUpstream(json_answer(refusal, status=400)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"contents": CONTENTS}, path=GENERATE)
    assert (reply.status, reply.json()["error"]["status"]) == (502, "INTERNAL")
    assert b"AIza" not in reply.body


@pytest.mark.parametrize(
    ("path", "sent", "status", "kind", "text"),
    [
        (GENERATE, {}, 400, "INVALID_ARGUMENT", "contents"),
        (GENERATE, {"contents": []}, 400, "INVALID_ARGUMENT", "contents"),
        (GENERATE, b"{", 400, "INVALID_ARGUMENT", "JSON"),
        (EVENTS, b"[]", 400, "INVALID_ARGUMENT", "object"),
        (GENERATE.replace("alone", "nobody"), {"contents": CONTENTS}, 404, "NOT_FOUND", "nobody"),
        ("/v1beta/models/alone:tuneModel", {"contents": CONTENTS}, 404, "NOT_FOUND", "no such method"),
        ("/v1beta/nothing", {"contents": CONTENTS}, 404, "NOT_FOUND", "no such path"),
    ],
)
async def test_mistakes_are_told_in_the_clients_own_shape(
    start: Starter, path: str, sent: Any, status: int, kind: str, text: str
) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(sent, path=path)
        assert not upstream.requests
    told = reply.json()["error"]
    assert (reply.status, told["code"], told["status"]) == (status, status, kind)
    assert text in told["message"]
    assert told["details"] == []


async def test_a_caller_without_a_key_is_told_so_in_its_own_shape(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway, key="wrong") as official:
            with pytest.raises(errors.ClientError) as raised:
                await official.models.generate_content(model="alone", contents="Hello")
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")


async def test_the_official_client_lists_the_models(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            names = [model.name async for model in await official.models.list(config={"page_size": 1})]
    assert "models/alone" in names


CALL = {"name": "f", "args": {"a": 1}}
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="f",
            parameters=types.Schema(type=types.Type.OBJECT, properties={"a": types.Schema(type=types.Type.INTEGER)}),
        )
    ]
)
CONFIG = types.GenerateContentConfig(
    tools=[TOOL],
    max_output_tokens=64,
    system_instruction="Be brief.",
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)

CHAT_HEAD = {"id": "chatcmpl-1", "created": 7, "model": "gpt-x"}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
CHAT_DELTAS = [{"content": "Hel"}, {"content": "lo"}, {"tool_calls": [{"index": 0, **CHAT_CALL}]}]
CHAT_CHUNKS = [
    *({**CHAT_HEAD, "choices": [{"index": 0, "delta": delta}]} for delta in CHAT_DELTAS),
    {**CHAT_HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {**CHAT_HEAD, "choices": [], "usage": CHAT_USAGE},
]
CHAT_MESSAGE = {"role": "assistant", "content": "Hello", "tool_calls": [CHAT_CALL]}
CHAT = {
    **CHAT_HEAD,
    "choices": [{"index": 0, "message": CHAT_MESSAGE, "finish_reason": "tool_calls"}],
    "usage": CHAT_USAGE,
}


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [THINKING, {"type": "text", "text": "Hello"}, USE],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
MESSAGE_STREAM = [
    event("message_start", message=MESSAGE | {"content": [], "stop_reason": None}),
    event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."}),
    event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"}),
    event("content_block_stop", index=0),
    event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=1, delta={"type": "text_delta", "text": "Hello"}),
    event("content_block_stop", index=1),
    event("content_block_start", index=2, content_block=USE | {"input": {}}),
    event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": '{"a": '}),
    event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": "1}"}),
    event("content_block_stop", index=2),
    event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 3}),
    event("message_stop"),
]


async def ask(gateway: RunningGateway, contents: Any, *, stream: bool) -> tuple[list[types.Part], Any]:
    """What the official client was told: the parts, texts joined, and the last response."""
    parts: list[types.Part] = []
    async with client(gateway) as official:
        if stream:
            chunks = await official.models.generate_content_stream(model="alone", contents=contents, config=CONFIG)
            answers = [chunk async for chunk in chunks]
        else:
            answers = [await official.models.generate_content(model="alone", contents=contents, config=CONFIG)]
    for answer in answers:
        parts += (answer.candidates[0].content and answer.candidates[0].content.parts) or ()
    return parts, answers[-1]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_reads_an_answer_of_a_provider_that_speaks_chat(start: Starter, stream: bool) -> None:
    script = sse_answer([*map(sse, CHAT_CHUNKS), sse(b"[DONE]")]) if stream else json_answer(CHAT)
    async with ScriptedUpstream(script) as upstream:
        gateway = await serving(start, upstream, "openai")
        parts, last = await ask(gateway, "Hello", stream=stream)
        sent = upstream.requests[0]
    assert "".join(part.text or "" for part in parts) == "Hello"
    (call,) = [part.function_call for part in parts if part.function_call]
    assert (call.id, call.name, call.args) == ("call_1", "f", {"a": 1})
    assert last.candidates[0].finish_reason is types.FinishReason.STOP
    assert (last.usage_metadata.prompt_token_count, last.usage_metadata.candidates_token_count) == (9, 3)
    assert sent.path == "/v1/chat/completions"
    body = sent.json()
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert body["max_completion_tokens"] == 64
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {"a": {"type": "integer"}}}
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"]) == (9, 3)


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_of_another_provider_comes_back_to_it_through_the_official_client(
    start: Starter, stream: bool
) -> None:
    script = sse_answer(MESSAGE_STREAM) if stream else json_answer(MESSAGE)
    async with ScriptedUpstream(script, script) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        parts, last = await ask(gateway, "Hello", stream=stream)
        assert last.candidates[0].finish_reason is types.FinishReason.STOP
        response = types.Part.from_function_response(name="f", response={"output": "done"})
        history = [
            types.Content(role="user", parts=[types.Part(text="Hello")]),
            types.Content(role="model", parts=parts),
            types.Content(role="user", parts=[response]),
        ]
        await ask(gateway, history, stream=stream)
        sent = upstream.requests[1].json()
    assert not any(part.thought for part in parts), "nobody asked for thoughts"
    assert sent["messages"][1]["content"] == [THINKING, {"type": "text", "text": "Hello"}, USE]
    (result,) = sent["messages"][2]["content"]
    assert (result["tool_use_id"], result["content"]) == ("toolu_1", "done")


async def test_an_array_of_another_providers_stream_is_whole_json(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(MESSAGE_STREAM)) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        reply = await gateway.post({"contents": CONTENTS}, path=ARRAY)
    found = elements(reply)
    parts = [part for each in found for part in each["candidates"][0]["content"]["parts"]]
    assert "".join(part.get("text", "") for part in parts) == "Hello"
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert found[-1]["usageMetadata"] == USAGE
