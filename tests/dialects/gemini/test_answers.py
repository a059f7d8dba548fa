"""What a Gemini answer says, whole or streamed, and what a Chat caller is told of it."""

from __future__ import annotations

import json
from typing import Any

import openai.lib.streaming.chat as official
import pytest
from msgspec import Raw
from openai.types.chat import ChatCompletionChunk

from gaiarouter.canonical.events import Finish
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import Audio, Base64, Image, Opaque, Reasoning, Sealed, Text, ToolCall
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.response import decode_answer
from gaiarouter.errors import BadAnswer, Failed, Interrupted, Overloaded
from tests.dialects.gemini.stream import (
    USAGE,
    called,
    decode,
    only,
    response,
    streamed,
    text,
    texts,
    whole,
    wire,
)

VIEW = AnswerView(fallback_id="chatcmpl-x", created=7, include_usage=True)
FORMAT = "google-gemini-v1"
SEAL = Sealed("encrypted", FORMAT, "S")
BLOB = {"inlineData": {"mimeType": "image/png", "data": "AA"}}
CODE = {"executableCode": {"language": "PYTHON", "code": "1"}}


def call(name: str, arguments: str = "{}", call_id: str = "call_gm_0", **members: Any) -> ToolCall:
    return ToolCall(call_id=call_id, name=name, arguments=arguments, **members)


PARTS: list[tuple[list[dict[str, Any]], list[Any]]] = [
    ([text("A")], [Text(text="A")]),
    ([text("A"), text("B")], [Text(text="A"), Text(text="B")]),
    ([text("")], []),
    ([text("", thoughtSignature="S")], [Text(text="", sealed=SEAL)]),
    ([text("A", thoughtSignature="S"), text("B")], [Text(text="A", sealed=SEAL), Text(text="B")]),
    ([text("Hm", thought=True), text("A")], [Reasoning(visible=("Hm",), format=FORMAT), Text(text="A")]),
    (
        [text("Hm", thought=True, thoughtSignature="S")],
        [Reasoning(visible=("Hm",), format=FORMAT, sealed=(Sealed("signature", FORMAT, "S"),))],
    ),
    ([text("A", thought=False)], [Text(text="A")]),
    ([called("f", {"b": 1, "a": "é"}, sign="S", id_="q")], [call("f", '{"b":1,"a":"é"}', "q", sealed=SEAL)]),
    ([called("f"), called("f", {})], [call("f"), call("f", call_id="call_gm_1")]),
    ([called("f", id_="q"), called("f", id_="q")], [call("f", call_id="q"), call("f", call_id="call_gm_1")]),
    ([BLOB], [Image(source=Base64("image/png", "AA"))]),
    ([BLOB | {"thoughtSignature": "S"}], [Image(source=Base64("image/png", "AA"), sealed=SEAL)]),
    ([{"inlineData": {"mimeType": "audio/L16", "data": "AA"}}], [Audio(source=Base64("audio/L16", "AA"))]),
    ([CODE], [Opaque(dialect="gemini", type="executableCode", raw=Raw(json.dumps(CODE).encode()))]),
    ([{"toolCall": {"id": "1"}}], [Opaque(dialect="gemini", type="toolCall", raw=Raw(b'{"toolCall": {"id": "1"}}'))]),
    ([{"hologram": 1}], [Opaque(dialect="gemini", type="hologram", raw=Raw(b'{"hologram": 1}'))]),
]


@pytest.mark.parametrize(("parts", "expected"), PARTS, ids=[str(row[0])[:70] for row in PARTS])
def test_the_parts_of_an_answer(parts: list[dict[str, Any]], expected: list[Any]) -> None:
    body = response(*parts, finish="STOP")
    for answer in (whole(body), streamed(body), fold(decode(json.dumps([body], ensure_ascii=False).encode()))):
        assert list(only(answer).parts) == expected
        assert fold(unfold(answer)) == answer


def test_the_head_of_an_answer() -> None:
    body = response(text("A"), finish="STOP") | {"createTime": "2026-02-17T04:29:30.362238Z"}
    answer = whole(body)
    assert (answer.id, answer.model, answer.created) == ("r1", "gemini-x", 1771302570)
    bare = whole({"candidates": [{"content": {"parts": [text("A")]}, "finishReason": "STOP"}]})
    assert (bare.id, bare.model, bare.created, bare.usage) == ("", "", None, None)


def test_what_has_no_place_is_kept_beside() -> None:
    body = response(text("A"), finish="STOP", safetyRatings=[{"category": "X"}], avgLogprobs=-1.5) | {"newThing": 1}
    assert {aside.name: json.loads(bytes(aside.raw)) for aside in whole(body).asides} == {
        "candidates[0].safetyRatings": [{"category": "X"}],
        "candidates[0].avgLogprobs": -1.5,
        "newThing": 1,
    }


FILTERED = (
    *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"),
    *("IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION", "PUP_LIMITED_DISABLED"),
)
OTHER = ("LANGUAGE", "OTHER", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED", "SOMETHING_NEW")
REASONS: list[tuple[Any, str]] = [
    ("STOP", "stop"),
    ("MAX_TOKENS", "length"),
    ("CONTINUATION", "length"),
    *((reason, "content_filter") for reason in FILTERED),
    *((reason, "other") for reason in OTHER),
]


@pytest.mark.parametrize(("native", "reason"), REASONS)
def test_t40_a_reason_to_end(native: str, reason: str) -> None:
    expected = Finish(reason=reason, native=native)  # type: ignore[arg-type]
    assert only(whole(response(text("A"), finish=native))).finish == expected
    assert only(streamed(response(text("A")), response(finish=native))).finish == expected


@pytest.mark.parametrize(("number", "native"), [(1, "STOP"), (2, "MAX_TOKENS"), (3, "SAFETY"), (99, "99")])
def test_a_reason_may_be_a_number(number: int, native: str) -> None:
    assert only(whole(response(text("A"), finishReason=number))).finish.native == native


@pytest.mark.parametrize("native", ["STOP", "OTHER", "SOMETHING_NEW"])
def test_t31_an_answer_that_calls_ends_with_calls(native: str) -> None:
    one = streamed(response(called("f"), finish=native))
    two = streamed(response(called("f")), response(text(""), finish=native))
    assert [only(each).finish.reason for each in (one, two)] == ["tool_calls", "tool_calls"]


@pytest.mark.parametrize(("native", "reason"), [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")])
def test_a_call_does_not_hide_why_an_answer_was_cut(native: str, reason: str) -> None:
    assert only(whole(response(called("f"), finish=native))).finish.reason == reason


def test_t108_the_providers_own_calls_are_not_the_callers() -> None:
    assert only(whole(response({"toolCall": {"id": "1"}}, text("A"), finish="STOP"))).finish.reason == "stop"


UNUSABLE = ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")


@pytest.mark.parametrize("native", [*UNUSABLE, "MISSING_THOUGHT_SIGNATURE"])
def test_an_answer_of_no_use_is_a_failure(native: str) -> None:
    body = response(text("A"), finish=native, finishMessage="Why sk-abcdefghijk")
    for read in (whole, streamed):
        with pytest.raises(Failed, match=rf"{native}\): Why \[redacted\]") as failed:
            read(body)
        assert failed.value.retryable == (native != "MISSING_THOUGHT_SIGNATURE")


def test_an_unexpected_call_is_one_if_the_function_is_declared() -> None:
    body = response(called("f"), finish="UNEXPECTED_TOOL_CALL")
    assert only(whole(body, AnswerPlan(declared=frozenset({"f"})))).finish.reason == "tool_calls"
    with pytest.raises(Failed):
        whole(body, AnswerPlan(declared=frozenset({"g"})))


def test_t22_t30_calls_are_counted_across_events() -> None:
    answer = streamed(
        response(called("f", {"x": 1})),
        response(called("f", {"x": 2}), called("g")),
        response(called("h", id_="own")),
        response(called("f"), finish="STOP"),
    )
    assert [part.call_id for part in only(answer).parts if isinstance(part, ToolCall)] == [
        *("call_gm_0", "call_gm_1", "call_gm_2", "own", "call_gm_4")
    ]
    chunks = [
        json.loads(line.removeprefix("data: "))
        for line in chat_stream(decode(wire(response(called("f")), response(called("g"), finish="STOP"))))
    ]
    indices = [call["index"] for chunk in chunks[:-1] for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert indices == [0, 1]


def test_ids_go_on_from_those_of_the_conversation() -> None:
    (part,) = only(whole(response(called("f"), finish="STOP"), AnswerPlan(next_call=7))).parts
    assert part == call("f", call_id="call_gm_7")


def test_t82_arguments_keep_their_numbers_letters_and_order() -> None:
    call_of_f = b'{"functionCall":{"name":"f","args":{"b": 12345678901234567890, "a":"\xc3\xa9"}}}'
    data = b'{"candidates":[{"content":{"parts":[' + call_of_f + b']},"finishReason":"STOP"}]}'
    (part,) = only(fold(decode(b"data: " + data + b"\n\n"))).parts
    assert part == call("f", '{"b":12345678901234567890,"a":"é"}')


EMPTY: list[tuple[dict[str, Any], str]] = [
    ({"content": {}, "finishReason": "SAFETY"}, "content_filter"),
    ({"finishReason": "MODEL_ARMOR"}, "content_filter"),
    ({"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}, "length"),
    ({"content": {"parts": []}, "finishReason": "STOP"}, "stop"),
    ({"content": {"parts": None}, "finishReason": "STOP"}, "stop"),
    ({"content": None, "finishReason": "MAX_TOKENS"}, "length"),
    ({"content": {"parts": [{"text": "Hm", "thought": True}]}, "finishReason": "MAX_TOKENS"}, "length"),
]


@pytest.mark.parametrize(("candidate", "reason"), EMPTY, ids=[str(row[0]) for row in EMPTY])
def test_t38_an_answer_may_say_nothing(candidate: dict[str, Any], reason: str) -> None:
    body = {"candidates": [candidate], "usageMetadata": USAGE}
    for answer in (whole(body), streamed(body)):
        assert only(answer).finish.reason == reason
        assert texts(only(answer)) == []
        assert json.loads(encode_answer(answer, VIEW))["choices"][0]["message"]["content"] in ("", None)


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}
BLOCKS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK", "NEW")


@pytest.mark.parametrize("reason", BLOCKS)
def test_t38_a_blocked_prompt_is_an_answer_without_one(reason: str) -> None:
    body = {"promptFeedback": {"blockReason": reason, "blockReasonMessage": "Why"}}
    for answer in (whole(body), streamed(body)):
        choice = only(answer)
        assert (choice.parts, choice.finish) == ((), Finish(reason="content_filter", native=reason, explanation="Why"))


def test_ratings_of_a_prompt_do_not_block_it() -> None:
    body = response(text("A"), finish="STOP") | {"promptFeedback": {"safetyRatings": []}}
    assert only(whole(body)).finish.reason == "stop"


@pytest.mark.parametrize("body", [{}, {"usageMetadata": USAGE}, {"candidates": []}, {"candidates": None}])
def test_an_answer_without_candidates_and_without_a_reason_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        whole(body)
    with pytest.raises(Interrupted):
        streamed(body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[", b'"x"', b"[[]]", b'{"candidates":5}', b"\xff"])
def test_t84_what_is_no_answer_is_a_bad_one(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        decode_answer(body, AnswerPlan())


def test_t34_an_error_inside_a_200_is_one() -> None:
    error = {"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}}
    for body in (error, [error]):
        with pytest.raises(Overloaded):
            whole(body)  # type: ignore[arg-type]


def test_several_candidates_are_several_choices() -> None:
    both = {
        "candidates": [
            {"content": {"parts": [text("A")]}, "finishReason": "STOP"},
            {"content": {"parts": [called("f")]}, "finishReason": "STOP", "index": 1},
        ]
    }
    answer = whole(both)
    assert [(choice.index, choice.finish.reason) for choice in answer.choices] == [(0, "stop"), (1, "tool_calls")]


def chat_stream(events: list[Any]) -> list[str]:
    lines = StreamEncoder(VIEW).encode(events).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return lines[:-2]


def snapshot(lines: list[str]) -> dict[str, Any]:
    """What the official client makes of a Chat stream."""
    state: Any = official.ChatCompletionStreamState()
    for line in lines:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(line.removeprefix("data: ")))
    found: dict[str, Any] = state.current_completion_snapshot.model_dump()
    return found


def test_trace_two_calls() -> None:
    lines = chat_stream(
        decode(
            wire(
                {"candidates": [{"content": {"parts": [called("f", {"x": 1}, sign="S", id_="q1"), called("g", {})]}}]},
                {
                    "candidates": [
                        {"content": {"parts": [text("")], "role": "model"}, "finishReason": "STOP", "index": 0}
                    ],
                    "usageMetadata": USAGE,
                },
            )
        )
    )
    deltas = [choice["delta"] for line in lines for choice in json.loads(line.removeprefix("data: "))["choices"]]
    first = {"index": 0, "id": "q1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    second = {"index": 1, "id": "call_gm_1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    seal = {"type": "reasoning.encrypted", "data": "S", "id": "q1", "format": FORMAT, "index": 0}
    assert [delta for delta in deltas if "tool_calls" in delta] == [{"tool_calls": [first]}, {"tool_calls": [second]}]
    assert [{**detail, "position": None} for delta in deltas for detail in delta.get("reasoning_details", [])] == [
        seal | {"position": None}
    ]
    told = snapshot(lines)
    assert told["choices"][0]["finish_reason"] == "tool_calls"
    assert told["usage"]["total_tokens"] == 6


def test_trace_a_blocked_prompt() -> None:
    choice = snapshot(chat_stream(decode(wire(BLOCKED))))["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["refusal"] == "The prompt was blocked by the provider's filter."
    assert not choice["message"]["content"]


def test_trace_a_filter_in_the_middle() -> None:
    events = decode(wire(response(text("So")), response(finish="SAFETY", content={})))
    choice = snapshot(chat_stream(events))["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "So")


def test_trace_the_limit_was_spent_on_thinking() -> None:
    events = decode(wire(response(finish="MAX_TOKENS", content={"role": "model"})))
    choice = snapshot(chat_stream(events))["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")
