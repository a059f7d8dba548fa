"""Everything that was recorded of the Messages format, read and told in Chat: nothing is lost, streamed or not."""

from __future__ import annotations

import json
import random
from typing import Any

import openai.lib.streaming.chat as official
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import Opaque, Reasoning, Text, ToolCall
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.dialects.messages.response import decode_answer
from tests.dialects.messages.stream import PLAN, decode
from tests.recorded import Interaction, every, interactions

VIEW = AnswerView(fallback_id="chatcmpl-x", created=7, include_usage=True)
ANSWERS = [each for provider in ("anthropic", "vertex") for each in interactions(provider, "messages", ok=True)]
STREAMS = [each for each in ANSWERS if each.is_stream]
FINISH = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "stop_sequence": "stop"}


def whole(interaction: Interaction) -> dict[str, Any]:
    """The answer as its maker means it, put together from a stream by the rules of its documentation."""
    if not interaction.is_stream:
        assert isinstance(interaction.answer, dict)
        return interaction.answer
    message: dict[str, Any] = {}
    for line in interaction.body.decode().split("\n"):
        if not line.startswith("data:"):
            continue
        event = json.loads(line.removeprefix("data:"))
        match event["type"]:
            case "message_start":
                message = event["message"] | {"content": []}
            case "content_block_start":
                message["content"].append(event["content_block"] | {"json": ""})
            case "content_block_delta":
                grow(message["content"][event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= {name: value for name, value in event["usage"].items() if value is not None}
    for block in message["content"]:
        if partial := block.pop("json"):
            block["input"] = json.loads(partial)
    return message


def grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]


def read(interaction: Interaction) -> CanonicalAnswer:
    if interaction.is_stream:
        return fold(decode(interaction.body))
    return decode_answer(interaction.body, PLAN)


def as_block(part: object) -> dict[str, Any]:
    """A canonical part in the words of the format, for comparison."""
    match part:
        case Text(text=text, citations=citations):
            block: dict[str, Any] = {"type": "text", "text": text}
            return block | ({"citations": [json.loads(bytes(each.raw)) for each in citations]} if citations else {})
        case Reasoning(visible=(text,), sealed=sealed):
            return {"type": "thinking", "thinking": text, "signature": sealed[0].data if sealed else ""}
        case Reasoning(sealed=(sealed,)):
            return {"type": "redacted_thinking", "data": sealed.data}
        case ToolCall() as call:
            block = {"type": "tool_use", "id": call.call_id, "name": call.name, "input": json.loads(call.arguments)}
            return block | ({"caller": json.loads(bytes(call.invoked_by))} if call.invoked_by else {})
        case Opaque(raw=raw):
            return dict(json.loads(bytes(raw)))
        case _:
            raise AssertionError(part)


def without_nothing(block: dict[str, Any]) -> dict[str, Any]:
    return (
        block if block.get("citations", True) else {name: value for name, value in block.items() if name != "citations"}
    )


def test_there_is_enough_to_look_at() -> None:
    assert len(STREAMS) > 100
    assert len(ANSWERS) - len(STREAMS) > 150


@every(ANSWERS)
def test_a_recorded_answer_is_read_without_loss(interaction: Interaction) -> None:
    message, answer = whole(interaction), read(interaction)
    choice, usage = answer.choices[0], message["usage"]
    blocks = [without_nothing(block) for block in message["content"]]
    if message["stop_reason"] == "max_tokens" and interaction.is_stream and blocks[-1]["type"] == "tool_use":
        blocks.pop()
    assert [as_block(part) for part in choice.parts][: len(blocks)] == blocks
    assert (answer.id, answer.model, choice.finish.native) == (message["id"], message["model"], message["stop_reason"])
    assert choice.finish.stop_sequence == message["stop_sequence"]
    assert answer.usage is not None
    told = (
        answer.usage.in_uncached,
        answer.usage.in_cache_write,
        answer.usage.in_cache_read,
        answer.usage.output_tokens,
    )
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert told == tuple(usage.get(name) or 0 for name in names)
    assert fold(unfold(answer)) == answer


@every(STREAMS)
def test_events_do_not_depend_on_chunk_borders(interaction: Interaction) -> None:
    data, chance = interaction.body, random.Random(interaction.id)
    expected = decode(data)
    assert decode(data, cuts=list(range(1, len(data)))) == expected
    for _ in range(5):
        assert decode(data, cuts=chance.choices(range(len(data) + 1), k=chance.randrange(1, 30))) == expected
    for ending in (b"\r\n", b"\r"):
        assert decode(data.replace(b"\n", ending)) == expected


@every(STREAMS[:40])
def test_t33_a_recorded_stream_that_is_cut_short_never_ends_well(interaction: Interaction) -> None:
    data = interaction.body
    reason_known = data.index(b"event: message_delta")
    chance = random.Random(interaction.id)
    for cut in chance.choices(range(reason_known), k=10):
        with pytest.raises(Exception, match="ended before"):
            fold(decode(data[:cut]))


def streamed(answer: CanonicalAnswer, events: list[Any]) -> tuple[bytes, dict[str, Any]]:
    """A Chat stream, and what the official client makes of it."""
    data = StreamEncoder(VIEW).encode(events)
    state: Any = official.ChatCompletionStreamState()
    for line in data.decode().split("\n\n"):
        if line and line != "data: [DONE]":
            state.handle_chunk(ChatCompletionChunk.model_validate_json(line.removeprefix("data: ")))
    return data, state.current_completion_snapshot.model_dump()


@every(ANSWERS)
def test_a_chat_client_is_told_the_same(interaction: Interaction) -> None:
    message, answer = whole(interaction), read(interaction)
    body = encode_answer(answer, VIEW)
    completion = ChatCompletion.model_validate_json(body)
    choice, said = completion.choices[0], completion.choices[0].message
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    assert (said.content or "") == "".join(texts)
    assert [call.id for call in said.tool_calls or []] == [block["id"] for block in calls]
    assert [json.loads(call.function.arguments) for call in said.tool_calls or []] == [
        block["input"] for block in calls
    ]
    assert choice.finish_reason == FINISH[message["stop_reason"]]
    assert completion.usage is not None
    assert completion.usage.completion_tokens == message["usage"]["output_tokens"]
    details = json.loads(body)["choices"][0]["message"].get("reasoning_details", [])
    thinking = [block for block in message["content"] if block["type"] in ("thinking", "redacted_thinking")]
    assert [each.get("signature") or each.get("data") for each in details] == [
        block.get("signature") or block.get("data") for block in thinking
    ]


@every(ANSWERS)
def test_streamed_and_whole_are_the_same_answer(interaction: Interaction) -> None:
    answer = read(interaction)
    events = decode(interaction.body) if interaction.is_stream else list(unfold(answer))
    expected: dict[str, Any] = json.loads(encode_answer(answer, VIEW))
    data, snapshot = streamed(answer, events)
    said, message = snapshot["choices"][0]["message"], expected["choices"][0]["message"]
    for name in ("content", "refusal"):
        assert (said[name] or None) == (message[name] or None)
    for told, call in zip(said["tool_calls"] or [], message.get("tool_calls", []), strict=True):
        assert (told["id"], told["type"]) == (call["id"], call["type"])
        assert told["function"]["name"] == call["function"]["name"]
        assert told["function"]["arguments"] == call["function"]["arguments"]
    assert said.get("reasoning_content") == message.get("reasoning_content")
    assert snapshot["choices"][0]["finish_reason"] == expected["choices"][0]["finish_reason"]
    assert (snapshot["id"], snapshot["model"], snapshot["created"]) == (expected["id"], expected["model"], 7)
    last = json.loads(data.split(b"\n\n")[-3].removeprefix(b"data: "))
    assert (last["choices"], last["usage"]) == ([], expected["usage"])
    check_stream(data)


def check_stream(data: bytes) -> None:
    """What holds for every Chat stream."""
    events = data.decode().split("\n\n")
    assert events.pop() == ""
    assert events.pop() == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "id:" not in {line.split(" ")[0] for event in events for line in event.split("\n")}
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason is not None for reason in reasons] == [False] * (len(reasons) - 1) + [True]
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    named = [
        call for chunk in chunks[:-1] for call in chunk["choices"][0]["delta"].get("tool_calls", []) if "id" in call
    ]
    assert [call["index"] for call in named] == list(range(len(named)))
