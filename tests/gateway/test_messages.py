"""Callers that speak Messages: to a provider of theirs byte for byte, to others translated."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter
from tests.recorded import interactions
from tests.support.script import Close, json_answer, sse, sse_answer
from tests.support.script import answer as http_answer
from tests.support.upstream import ScriptedUpstream

MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
RECORDED = [each for each in interactions("anthropic", "messages", ok=True) if "model" in each.request]


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


STREAM = [
    event("message_start", message=ANSWER | {"content": [], "stop_reason": None}),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hello"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3}),
    event("message_stop"),
]


async def serving(start: Starter, upstream: ScriptedUpstream, dialect: str = "anthropic") -> RunningGateway:
    base = upstream.url("") if dialect != "openai" else upstream.url("/v1")
    providers = {"demo": {"dialect": "echo"}, "main": {"dialect": dialect, "base_url": base, "api_key": PROVIDER_KEY}}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": "claude-haiku-4-5"}]},
    ]
    return await start({"main": upstream.url("")}, providers=providers, routes=routes)


def client(gateway: RunningGateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key=gateway.key, max_retries=0)


def body(**members: Any) -> dict[str, Any]:
    return {"model": "alone", "max_tokens": 64, "messages": MESSAGES} | members


async def test_the_official_client_reads_an_answer_of_its_own_provider(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            message = await official.messages.create(**body())
        sent = upstream.requests[0]
    assert message.content[0].text == "Hello"
    assert message.usage.input_tokens == 9
    assert sent.path == "/v1/messages"
    assert sent.headers["x-api-key"] == PROVIDER_KEY
    assert sent.json() == {**body(), "model": "claude-haiku-4-5"}
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"]) == (9, 3)


async def test_the_official_client_reads_a_stream_of_its_own_provider(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(STREAM)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official, official.messages.stream(**body()) as events:
            message = await events.get_final_message()
    assert message.content[0].text == "Hello"
    assert message.stop_reason == "end_turn"


async def test_headers_that_belong_to_the_body_go_on_and_credentials_do_not(start: Starter) -> None:
    sent = {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "a-1,b-2",
        "Anthropic-Future": "x",
        "x-claude-code-session": "s",
        "anthropic-organization-id": "org",
        "x-api-key": "not-ours",
        "x-stainless-lang": "js",
        "cookie": "c=1",
    }
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(body(), path="/v1/messages?beta=true", headers=sent)
        got = upstream.requests[0].headers
    assert reply.status == 200
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    expected = {"anthropic-version": "2026-10-21", "anthropic-beta": "a-1,b-2", "anthropic-future": "x"}
    assert got.items() >= {**expected, "x-claude-code-session": "s", "x-api-key": PROVIDER_KEY}.items()
    assert not {"anthropic-organization-id", "x-stainless-lang", "cookie", "authorization"} & got.keys()


async def test_t63_t76_t101_what_the_gateway_does_not_know_arrives_as_it_was_sent(start: Starter) -> None:
    books = "x-anthropic-billing-header: v=1;"
    system = [{"type": "text", "text": books}, {"type": "text", "text": "P", "cache_control": {"type": "ephemeral"}}]
    sent = body(system=system, some_new_field={"a": [1]}, context_management={"edits": []})
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        headers = {"anthropic-beta": "never-heard-of-2031-01-01"}
        reply = await gateway.post(sent, path="/v1/messages?beta=true", headers=headers)
        got = upstream.requests[0]
    assert reply.status == 200, reply.body
    assert got.json() == sent | {"model": "claude-haiku-4-5"}
    assert got.headers["anthropic-beta"] == "never-heard-of-2031-01-01"


@pytest.mark.parametrize("cut", range(len(STREAM) - 2))
async def test_t33_a_stream_that_breaks_off_ends_with_an_error(start: Starter, cut: int) -> None:
    async with ScriptedUpstream((*sse_answer(STREAM[: cut + 1], end=False), Close())) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            with pytest.raises(anthropic.APIError):  # the error may come with the head or with an event
                async with official.messages.stream(**body()) as events:
                    await events.get_final_message()


async def test_t34_an_error_as_the_first_event_is_an_answer_with_its_status(start: Starter) -> None:
    overloaded = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    async with ScriptedUpstream(sse_answer([overloaded])) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(body(stream=True), path="/v1/messages")
    assert (reply.status, reply.json()["error"]["type"]) == (529, "overloaded_error")


async def test_t75_a_refusal_of_the_provider_goes_on_in_its_own_bytes(start: Starter) -> None:
    error = b'{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}'
    said = b'{"type":"error", "error":' + error + b',"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}'
    script = http_answer(said, status=400, headers={"content-type": "application/json"})
    async with ScriptedUpstream(script) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(body(), path="/v1/messages")
    assert (reply.status, reply.body) == (400, said)


async def test_t68_a_key_that_the_provider_refuses_is_not_the_callers_fault(start: Starter) -> None:
    refusal = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key sk-ant-1234"}}
    async with ScriptedUpstream(json_answer(refusal, status=401)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(body(), path="/v1/messages")
    assert (reply.status, reply.json()["error"]["type"]) == (502, "api_error")
    assert b"sk-ant" not in reply.body
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("sent", "status", "kind", "text"),
    [
        ({"messages": MESSAGES, "model": "alone"}, 400, "invalid_request_error", "max_tokens"),
        (body(model="nobody"), 404, "not_found_error", "nobody"),
        (b"{", 400, "invalid_request_error", "JSON"),
    ],
)
async def test_mistakes_are_told_in_the_clients_own_shape(
    start: Starter, sent: Any, status: int, kind: str, text: str
) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post(sent, path="/v1/messages")
        assert not upstream.requests
    told = reply.json()
    assert (reply.status, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert text in told["error"]["message"]
    assert told["request_id"] == reply.headers["request-id"]


async def test_a_caller_without_a_key_is_told_so_in_its_own_shape(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key="wrong", max_retries=0) as official:
            with pytest.raises(anthropic.AuthenticationError):
                await official.messages.create(**body())


async def test_the_official_client_lists_the_models(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        async with client(gateway) as official:
            names = [model.id async for model in official.models.list(limit=1)]
    assert "alone" in names


GEMINI = {
    "responseId": "r1",
    "modelVersion": "gemini-x",
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [{"text": "Hello"}, {"functionCall": {"name": "f", "args": {"a": 1}}}],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12},
}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_reads_another_providers_answer(start: Starter, stream: bool) -> None:
    script = sse_answer([sse(GEMINI)]) if stream else json_answer(GEMINI)
    tool: Any = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    async with ScriptedUpstream(script) as upstream:
        gateway = await serving(start, upstream, "google")
        async with client(gateway) as official:
            if stream:
                async with official.messages.stream(**body(tools=[tool])) as events:
                    message = await events.get_final_message()
            else:
                message = await official.messages.create(**body(tools=[tool]))
        sent = upstream.requests[0].json()
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[1].input == {"a": 1}
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 3)
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_reads_an_answer_of_a_provider_that_speaks_chat(start: Starter, stream: bool) -> None:
    head = {"id": "chatcmpl-1", "created": 7, "model": "gpt-x"}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    message = {"role": "assistant", "content": "Hello", "tool_calls": [call]}
    whole = {**head, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage}
    deltas = [{"content": "Hel"}, {"content": "lo"}, {"tool_calls": [{"index": 0, **call}]}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({**head, "choices": [], "usage": usage})
    script = sse_answer([*map(sse, chunks), sse(b"[DONE]")]) if stream else json_answer(whole)
    tool: Any = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    async with ScriptedUpstream(script) as upstream:
        gateway = await serving(start, upstream, "openai")
        async with client(gateway) as official:
            if stream:
                async with official.messages.stream(**body(tools=[tool])) as events:
                    message_read = await events.get_final_message()
            else:
                message_read = await official.messages.create(**body(tools=[tool]))
        sent = upstream.requests[0]
    assert [block.type for block in message_read.content] == ["text", "tool_use"]
    assert message_read.content[0].text == "Hello"
    assert (message_read.content[1].id, message_read.content[1].input) == ("call_1", {"a": 1})
    assert message_read.stop_reason == "tool_use"
    assert (message_read.usage.input_tokens, message_read.usage.output_tokens) == (9, 3)
    assert sent.path == "/v1/chat/completions"
    assert sent.json()["messages"] == [{"role": "user", "content": "Hello"}]
    assert sent.json()["max_completion_tokens"] == 64
    assert "anthropic-version" not in sent.headers
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"]) == (9, 3)
