"""Everything that was recorded of the Gemini format, read and told in Chat: nothing is lost, streamed or not."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import openai.lib.streaming.chat as official
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gaiarouter.canonical.events import CanonicalAnswer, Event
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import Opaque, Reasoning, Text, ToolCall
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.response import decode_answer
from gaiarouter.errors import Failed, UpstreamError
from tests.dialects.gemini.stream import PLAN, decode
from tests.recorded import Interaction, every, interactions

VIEW = AnswerView(fallback_id="chatcmpl-x", created=7, include_usage=True)
ANSWERS = [each for provider in ("google", "vertex") for each in interactions(provider, "generate", ok=True)]
STREAMS = [each for each in ANSWERS if each.is_stream]
FINISH = {
    "STOP": "stop",
    1: "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
COUNTS = {
    "promptTokenCount": lambda usage: usage.in_uncached + usage.in_cache_read,
    "cachedContentTokenCount": lambda usage: usage.in_cache_read,
    "toolUsePromptTokenCount": lambda usage: usage.in_tool,
    "candidatesTokenCount": lambda usage: usage.out_visible,
    "thoughtsTokenCount": lambda usage: usage.out_reasoning,
    "totalTokenCount": lambda usage: usage.total_tokens,
}


@cache
def responses(interaction: Interaction) -> tuple[dict[str, Any], ...]:
    """What came, one by one, by a reader of its own."""
    answer = interaction.answer
    if isinstance(answer, dict):
        return (answer,)
    if isinstance(answer, list) or answer.lstrip().startswith("["):
        return tuple(json.loads(answer) if isinstance(answer, str) else answer)
    return tuple(json.loads(data) for data in re.findall(r"^data: ?(.*?)\r?$", answer, re.MULTILINE))


def parts_of(interaction: Interaction, choice: int = 0) -> list[dict[str, Any]]:
    return [
        part
        for response in responses(interaction)
        for position, candidate in enumerate(response.get("candidates") or ())
        if candidate.get("index", position) == choice
        for part in (candidate.get("content") or {}).get("parts") or ()
    ]


def is_unusable(interaction: Interaction) -> bool:
    return any(
        candidate.get("finishReason") == "UNEXPECTED_TOOL_CALL"
        for response in responses(interaction)
        for candidate in response.get("candidates") or ()
    )


USABLE = [each for each in ANSWERS if not is_unusable(each)]


def read(interaction: Interaction, plan: AnswerPlan = PLAN) -> CanonicalAnswer:
    if interaction.is_stream:
        return fold(decode(interaction.body, plan))
    return decode_answer(interaction.body, plan)


def told(answer: CanonicalAnswer, choice: int = 0) -> Iterator[tuple[str, Any]]:
    """Each thing that a choice says, with its kind; text and thinking as one."""
    parts = answer.choices[choice].parts
    yield "text", "".join(part.text for part in parts if isinstance(part, Text))
    yield "thought", "".join("".join(part.visible) for part in parts if isinstance(part, Reasoning))
    yield "signatures", [seal.data for part in parts for seal in seals(part)]
    yield "calls", [(part.name, json.loads(part.arguments)) for part in parts if isinstance(part, ToolCall)]
    yield "others", [json.loads(bytes(part.raw)) for part in parts if isinstance(part, Opaque)]


def seals(part: Any) -> tuple[Any, ...]:
    sealed = getattr(part, "sealed", None) or ()
    return sealed if isinstance(sealed, tuple) else (sealed,)


def meant(parts: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    texts = [part for part in parts if "text" in part]
    known = ("text", "functionCall")
    yield "text", "".join(part["text"] for part in texts if not part.get("thought"))
    yield "thought", "".join(part["text"] for part in texts if part.get("thought"))
    yield (
        "signatures",
        [
            part["thoughtSignature"]
            for part in parts
            if "thoughtSignature" in part and any(name in part for name in known)
        ],
    )
    yield (
        "calls",
        [
            (part["functionCall"]["name"], part["functionCall"].get("args", {}))
            for part in parts
            if "functionCall" in part
        ],
    )
    yield "others", [part for part in parts if not any(name in part for name in known)]


def test_there_is_enough_to_look_at() -> None:
    assert len(STREAMS) > 100
    assert len(USABLE) - len(STREAMS) > 200
    assert sum(str(each.answer).lstrip()[:1] == "[" for each in STREAMS) > 10


@every(USABLE)
def test_a_recorded_answer_is_read_without_loss(interaction: Interaction) -> None:
    answer, first = read(interaction), responses(interaction)[0]
    for choice in range(len(answer.choices)):
        assert dict(told(answer, choice)) == dict(meant(parts_of(interaction, choice)))
    assert (answer.id, answer.model) == (first.get("responseId", ""), first["modelVersion"])
    counts = {
        name: value
        for response in responses(interaction)
        for name, value in (response.get("usageMetadata") or {}).items()
        if name in COUNTS
    }
    if "promptTokenCount" in counts or "candidatesTokenCount" in counts:
        assert answer.usage is not None
        assert {name: COUNTS[name](answer.usage) for name in counts} == counts
    else:
        assert answer.usage is None
    assert fold(unfold(answer)) == answer


@every(USABLE)
def test_a_recorded_answer_ends_as_it_says(interaction: Interaction) -> None:
    natives = [
        candidate["finishReason"]
        for response in responses(interaction)
        for candidate in response.get("candidates") or ()
        if "finishReason" in candidate
    ]
    expected = FINISH[natives[-1]] if natives else "content_filter"
    if expected == "stop" and any("functionCall" in part for part in parts_of(interaction)):
        expected = "tool_calls"
    finish = read(interaction).choices[0].finish
    assert finish.reason == expected
    assert finish.native == ("STOP" if natives[-1:] == [1] else natives[-1] if natives else "MODEL_ARMOR")


@every([each for each in ANSWERS if is_unusable(each)])
def test_a_recorded_call_of_an_unknown_function_fails_unless_it_is_declared(interaction: Interaction) -> None:
    with pytest.raises(Failed, match="UNEXPECTED_TOOL_CALL"):
        read(interaction)
    answer = read(interaction, AnswerPlan(declared=frozenset({"list_files"})))
    assert answer.choices[0].finish.reason == "tool_calls"


@every(STREAMS)
def test_events_do_not_depend_on_chunk_borders(interaction: Interaction) -> None:
    data, chance = interaction.body, random.Random(interaction.id)
    expected = decode(data)
    assert decode(data, cuts=list(range(1, len(data)))) == expected
    for _ in range(5):
        assert decode(data, cuts=chance.choices(range(len(data) + 1), k=chance.randrange(1, 30))) == expected
    if data.startswith(b"data:"):
        for ending in (b"\n", b"\r"):
            assert decode(data.replace(b"\r\n", ending)) == expected


@every(STREAMS)
def test_streamed_is_whole(interaction: Interaction) -> None:
    """The same responses as one array, in one piece, are the same answer."""
    listed = json.dumps(responses(interaction), ensure_ascii=False).encode()
    assert dict(told(decode_answer(listed, AnswerPlan()))) == dict(told(read(interaction)))


@every(STREAMS[:60])
def test_t33_a_recorded_stream_that_is_cut_short_never_ends_well(interaction: Interaction) -> None:
    data = interaction.body
    reason_known = data.index(b'"finishReason"')
    chance = random.Random(interaction.id)
    for cut in chance.choices(range(reason_known), k=10):
        with pytest.raises(UpstreamError, match="ended before"):
            fold(decode(data[:cut]))


STRANGE: list[dict[str, Any]] = [
    {},
    {"newThing": [1]},
    {"candidates": [], "usageMetadata": None},
    {"candidates": [{"index": 0, "newMember": {"a": 1}}]},
    {
        "candidates": [
            {"index": 0, "content": {"role": "model", "parts": [{"text": ""}]}, "safetyRatings": [{"category": "NEW"}]}
        ]
    },
    {"usageMetadata": {"newCount": 5, "promptTokensDetails": None}},
    {"promptFeedback": {"newRatings": []}},
]


@every(STREAMS)
def test_t39_what_nobody_has_told_us_of_changes_nothing(interaction: Interaction) -> None:
    """An unknown member, candidate, count or rating between any two responses."""
    chance = random.Random(interaction.id)
    told_of = list(responses(interaction))
    for strange in STRANGE:
        told_of.insert(chance.randrange(1, len(told_of) + 1), strange)
    data = "".join(f"data: {json.dumps(each, ensure_ascii=False)}\r\n\r\n" for each in told_of).encode()
    answer, expected = fold(decode(data)), read(interaction)
    assert dict(told(answer)) == dict(told(expected))
    assert answer.choices[0].finish == expected.choices[0].finish
    assert answer.usage == expected.usage


def chat_stream(events: list[Event]) -> dict[str, Any]:
    """What the official client makes of a Chat stream."""
    state: Any = official.ChatCompletionStreamState()
    *lines, done, nothing = StreamEncoder(VIEW).encode(events).decode().split("\n\n")
    assert (done, nothing) == ("data: [DONE]", "")
    for line in lines:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(line.removeprefix("data: ")))
    found: dict[str, Any] = state.current_completion_snapshot.model_dump()
    return found


@every(USABLE)
def test_a_chat_client_is_told_the_same(interaction: Interaction) -> None:
    answer = read(interaction)
    body = encode_answer(answer, VIEW)
    completion = ChatCompletion.model_validate_json(body)
    events = decode(interaction.body) if interaction.is_stream else list(unfold(answer))
    expected = dict(meant(parts_of(interaction)))
    for choice in (completion.choices[0].model_dump(), chat_stream(events)["choices"][0]):
        said = choice["message"]
        assert (said["content"] or "") == expected["text"]
        calls = [
            (each["function"]["name"], json.loads(each["function"]["arguments"])) for each in said["tool_calls"] or ()
        ]
        assert calls == expected["calls"]
        assert choice["finish_reason"] == answer.choices[0].finish.reason
    ids = [call.id for call in completion.choices[0].message.tool_calls or ()]
    assert len(set(ids)) == len(ids)
    details = json.loads(body)["choices"][0]["message"].get("reasoning_details", [])
    assert [
        each.get("data") or each.get("signature") for each in details if each.get("data") or each.get("signature")
    ] == expected["signatures"]
