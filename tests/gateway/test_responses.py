"""Callers that speak Responses: to a provider of theirs byte for byte, to others translated."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter, assert_error
from tests.support.script import Close, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

TOOL: Any = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict": False,
}


async def serving(start: Starter, upstream: ScriptedUpstream, dialect: str, *speaks: str) -> RunningGateway:
    base = upstream.url("/v1") if dialect == "openai" else upstream.url("")
    main: dict[str, Any] = {"dialect": dialect, "base_url": base, "api_key": PROVIDER_KEY}
    providers = {"demo": {"dialect": "echo"}, "main": main | ({"speaks": list(speaks)} if speaks else {})}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": "claude-haiku-4-5"}]},
    ]
    return await start({"main": upstream.url("")}, providers=providers, routes=routes)


def chat_script(stream: bool) -> Any:
    head = {"id": "chatcmpl-1", "created": 7, "model": "gpt-x"}
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    if not stream:
        message = {"role": "assistant", "content": "Hello", "tool_calls": [call]}
        return json_answer(
            {**head, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage}
        )
    deltas: list[Any] = [{"content": "Hel"}, {"content": "lo"}, {"tool_calls": [{"index": 0, **call}]}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({**head, "choices": [], "usage": usage})
    return sse_answer([*map(sse, chunks), sse(b"[DONE]")])


def messages_script(stream: bool) -> Any:
    text, call = {"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_sequence": None}
    usage = {"input_tokens": 9, "output_tokens": 3}
    if not stream:
        return json_answer({**head, "content": [text, call], "stop_reason": "tool_use", "usage": usage})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**head, "content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {**call, "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return sse_answer([f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events])


def gemini_script(stream: bool) -> Any:
    parts = [{"text": "Hello"}, {"functionCall": {"id": "call_1", "name": "f", "args": {"a": 1}}}]
    whole = {
        "responseId": "r1",
        "modelVersion": "gemini-x",
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12},
    }
    return sse_answer([sse(whole)]) if stream else json_answer(whole)


@pytest.mark.parametrize(
    ("dialect", "speaks", "script"),
    [("openai", ["chat"], chat_script), ("anthropic", [], messages_script), ("google", [], gemini_script)],
    ids=["chat", "messages", "gemini"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_reads_every_providers_answer(
    start: Starter, dialect: str, speaks: list[str], script: Any, stream: bool
) -> None:
    async with ScriptedUpstream(script(stream)) as upstream:
        gateway = await serving(start, upstream, dialect, *speaks)
        async with openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0) as client:
            asked: Any = {"model": "alone", "input": "Hello", "tools": [TOOL]}
            if stream:
                async with client.responses.stream(**asked) as events:
                    async for _ in events:
                        pass
                    response: Any = await events.get_final_response()
            else:
                response = await client.responses.create(**asked)
    assert response.status == "completed"
    assert response.output_text == "Hello"
    (call,) = [item for item in response.output if item.type == "function_call"]
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("call_1", "f", {"a": 1})
    assert (response.usage.input_tokens, response.usage.output_tokens) == (9, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("background", True)],
)
async def test_what_only_its_issuer_knows_is_refused_elsewhere_by_its_name(
    start: Starter, field: str, value: Any
) -> None:
    async with ScriptedUpstream(messages_script(False)) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        reply = await gateway.post({"model": "alone", "input": "Hi", field: value}, path="/v1/responses")
        assert not upstream.requests
    assert_error(reply, 400, "unsupported_parameter", param=field)


def responses_script(stream: bool) -> Any:
    assert stream
    head = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    events = [
        {"type": "response.created", "response": head},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hel"},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "lo"},
    ]
    numbered = [sse({**event, "sequence_number": number}) for number, event in enumerate(events, 5)]
    return sse_answer([*numbered, b": nothing yet\n\n", b""])


@pytest.mark.parametrize(
    ("dialect", "speaks", "script"),
    [("openai", ["chat"], chat_script), ("openai", ["responses"], responses_script)],
    ids=["translated", "passed through"],
)
async def test_the_error_of_a_stream_that_breaks_off_goes_on_from_the_last_number(
    start: Starter, dialect: str, speaks: list[str], script: Any
) -> None:
    begun = script(True)[:5]  # the head, and some events
    async with ScriptedUpstream((*begun, Close())) as upstream:
        gateway = await serving(start, upstream, dialect, *speaks)
        reply = await gateway.post({"model": "alone", "input": "Hi", "stream": True}, path="/v1/responses")
    *numbers, last = [event["sequence_number"] for event in reply.events]
    assert reply.events[-1]["type"] == "error"
    assert len(numbers) > 2
    assert last == numbers[-1] + 1
