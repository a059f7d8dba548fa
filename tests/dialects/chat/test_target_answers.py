"""What callers of other formats are told of answers in Chat's form, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gaiarouter.canonical.events import CanonicalAnswer, Finish
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import Reasoning, Refusal, Text, ToolCall
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.target_chunks import StreamDecoder
from gaiarouter.dialects.chat.target_response import decode_answer
from gaiarouter.errors import BadAnswer, Failed, Interrupted, UpstreamError


def whole(message: dict[str, Any], finish: str | None = "stop", **members: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **members}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m-1"}
    return json.dumps({**head, "choices": [choice]}).encode()


def read(body: bytes, plan: AnswerPlan = AnswerPlan()) -> CanonicalAnswer:  # noqa: B008  # frozen
    return decode_answer(body, plan)


def stream(*chunks: dict[str, Any] | bytes, done: bool = True) -> list[Any]:
    """Deltas of choice 0 as chunks, or chunks as they are."""
    decoder = StreamDecoder(AnswerPlan())
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}
    data = b""
    for chunk in chunks:
        text = chunk if isinstance(chunk, bytes) else json.dumps(head | chunk).encode()
        data += b"data: " + text + b"\n\n"
    return [*decoder.feed(data + (b"data: [DONE]\n\n" if done else b"")), *decoder.close()]


def delta(finish: str | None = None, **members: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": members, "finish_reason": finish}]}


def call(
    index: int | None, call_id: str | None = None, name: str | None = None, arguments: Any = None
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": call_id, "function": function}]}


def detail(text: str) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, "index": 0, "format": "f"}


def calls_of(events: list[Any]) -> list[tuple[str, str, str]]:
    parts = fold(events).choices[0].parts
    return [(part.call_id, part.name, part.arguments) for part in parts if isinstance(part, ToolCall)]


@pytest.mark.parametrize(
    ("finish", "message", "reason"),
    [
        ("stop", {"content": "x"}, "stop"),
        ("length", {"content": "x"}, "length"),
        ("content_filter", {"content": ""}, "content_filter"),
        ("model_length", {"content": "x"}, "context_length"),
        ("eos", {"content": "x"}, "stop"),
        ("unheard_of", {"content": "x"}, "other"),
        ("stop", {"content": None, "refusal": "No."}, "refusal"),
        (
            "stop",
            {"content": None, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}]},
            "tool_calls",
        ),
        (
            "length",
            {"content": None, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]},
            "length",
        ),
        ("function_call", {"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "tool_calls"),
    ],
)
def test_t40_every_ending_is_known(finish: str, message: dict[str, Any], reason: str) -> None:
    assert read(whole(message, finish)).choices[0].finish.reason == reason
    streamed = [{k: v for k, v in message.items() if k != "tool_calls"}]
    if "tool_calls" not in message:
        assert fold(stream(delta(**streamed[0]), delta(finish))).choices[0].finish.reason == reason


@pytest.mark.parametrize("finish", ["error", "abort", "insufficient_system_resource"])
def test_a_model_that_broke_down_has_not_answered(finish: str) -> None:
    with pytest.raises(Failed):
        read(whole({"content": "x"}, finish))
    with pytest.raises(Failed):
        fold(stream(delta(content="x"), delta(finish)))


def test_a_stop_sequence_that_the_server_names_is_told() -> None:
    assert read(whole({"content": "x"}, "stop", stop_reason="END")).choices[0].finish == Finish(
        reason="stop_sequence", native="stop", stop_sequence="END"
    )


def test_t107_two_calls_at_one_index_are_two_calls() -> None:
    events = stream(delta(**call(0, "a", "f", '{"x":1}')), delta(**call(0, "b", "g", '{"y":2}')), delta("tool_calls"))
    assert calls_of(events) == [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


def test_calls_that_are_told_in_turns_are_put_together() -> None:
    events = stream(
        delta(**call(0, "a", "f", "")),
        delta(**call(1, "b", "g", "")),
        delta(**call(0, arguments='{"x":')),
        delta(**call(1, arguments='{"y":')),
        delta(**call(0, arguments="1}")),
        delta(**call(1, arguments="2}")),
        delta("tool_calls"),
    )
    assert calls_of(events) == [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


def test_t25_odd_spellings_of_calls_are_read() -> None:
    events = stream(
        delta(**call(None, "a", "f", {"x": 12345678901234567890})),
        delta(**call(None, "null", None, None)),
        delta(**call(None, None, "g", '{"y":2}')),
        delta("tool_calls"),
    )
    (first, second) = calls_of(events)
    assert first == ("a", "f", '{"x":12345678901234567890}')
    assert second[1:] == ("g", '{"y":2}')
    assert second[0] not in ("", "null", "a")


def test_text_after_a_call_is_a_part_of_its_own_and_the_call_is_over() -> None:
    events = stream(delta(content="So"), delta(**call(0, "a", "f", "{}")), delta(content="done"), delta("stop"))
    parts = fold(events).choices[0].parts
    assert [type(part) for part in parts] == [Text, ToolCall, Text]
    assert fold(events).choices[0].finish.reason == "tool_calls"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([{"reasoning_content": "Hm"}], Reasoning(visible=("Hm",))),
        ([{"reasoning": "Hm"}], Reasoning(visible=("Hm",))),
        (
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}],
            Reasoning(visible=("Hm",)),
        ),
        (
            [
                {
                    "reasoning": "H",
                    "reasoning_details": [{"type": "reasoning.text", "text": "H", "index": 0, "format": "f"}],
                },
                {"reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0, "format": "f"}]},
            ],
            Reasoning(visible=("Hm",), format="f"),
        ),
    ],
)
def test_t59_thinking_is_told_apart_from_the_answer(members: list[Any], expected: Reasoning) -> None:
    parts = fold(stream(*(delta(**each) for each in members), delta(content="So"), delta("stop"))).choices[0].parts
    assert parts == (expected, Text(text="So"))


def test_t49_the_first_chunk_of_azure_says_nothing_of_the_answer() -> None:
    first = {"choices": [], "id": "", "model": "", "created": 0, "prompt_filter_results": []}
    answer = fold(stream(first, delta(content="x"), delta("stop")))
    assert (answer.id, answer.model, answer.created) == ("chatcmpl-1", "m-1", 7)


@pytest.mark.parametrize(
    "chunk", [{"choices": []}, {"choices": None}, {}, {"choices": [{"index": 0, "delta": None}]}, {"choices": [{}]}]
)
def test_t50_chunks_without_content_are_passed_over(chunk: dict[str, Any]) -> None:
    assert fold(stream(chunk, delta(content="x"), chunk, delta("stop"), chunk)).choices[0].parts == (Text(text="x"),)


@pytest.mark.parametrize(
    ("chunks", "done", "error"),
    [
        ([delta(content="x")], False, Interrupted),
        ([], True, Interrupted),
        ([delta(role="assistant")], True, Interrupted),
        ([delta(content="x"), b"{broken"], True, BadAnswer),
        ([delta(content="x"), {"error": {"message": "m", "code": 500}}], True, UpstreamError),
        ([delta(content="x"), delta("stop"), {"error": {"message": "m", "code": 500}}], True, UpstreamError),
    ],
)
def test_t33_a_stream_that_went_wrong_never_ends_well(chunks: list[Any], done: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        fold(stream(*chunks, done=done))


def test_a_stream_without_a_reason_for_its_end_has_one_if_it_was_told_to_be_over() -> None:
    assert fold(stream(delta(content="x"))).choices[0].finish.reason == "stop"


def test_t32_the_reason_that_came_first_counts_and_is_told_once_at_the_end() -> None:
    events = stream(delta(content="x"), delta("length"), delta("stop", content=""))
    finishes = [event for event in events if isinstance(event, Finish)]
    assert [finish.reason for finish in finishes] == ["length"]


def test_several_choices_are_told_apart() -> None:
    chunks = [{"choices": [{"index": n, "delta": {"content": str(n)}, "finish_reason": "stop"}]} for n in (1, 0)]
    assert [choice.parts for choice in fold(stream(*chunks)).choices] == [(Text(text="0"),), (Text(text="1"),)]


def test_t36_a_refusal_is_a_part_of_its_own() -> None:
    answer = fold(stream(delta(refusal="I "), delta(refusal="can't"), delta("stop")))
    assert answer.choices[0].parts == (Refusal(text="I can't"),)
    assert answer.choices[0].finish.reason == "refusal"


def test_arguments_after_a_call_that_was_whole_are_no_answer() -> None:
    with pytest.raises(BadAnswer):
        fold(stream(delta(**call(0, "a", "f", "{}")), delta(content="x"), delta(**call(0, arguments='{"a":1}'))))


def test_free_text_that_was_wrapped_is_unwrapped() -> None:
    plan = AnswerPlan(wrapped=frozenset({"shell"}))
    arguments = msgspec.json.encode({"input": "ls -l"}).decode()
    message = {"content": None, "tool_calls": [{"id": "a", "function": {"name": "shell", "arguments": arguments}}]}
    (part,) = read(whole(message, "tool_calls"), plan).choices[0].parts
    assert isinstance(part, ToolCall)
    assert (part.kind, part.arguments) == ("custom", "ls -l")
