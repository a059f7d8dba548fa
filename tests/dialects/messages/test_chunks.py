"""Streams of the Messages format, event by event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    Aside,
    CitationDelta,
    End,
    Event,
    Failure,
    Finish,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    UsageSnapshot,
)
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import Opaque, Reasoning, Sealed, Text, ToolCall
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.errors import BadAnswer, Interrupted, Overloaded, Rejected, Throttled
from tests.dialects.messages.stream import (
    PING,
    PLAN,
    START,
    STOP,
    arguments,
    block,
    decode,
    delta,
    end,
    spoken,
    stop,
    text,
    wire,
)

FORMAT = "anthropic-claude-v1"


def body_of(*events: dict[str, Any], plan: AnswerPlan = PLAN) -> list[Event]:
    """What stands between the start and the finish."""
    found = decode(wire(START, *events, stop("tool_use"), STOP), plan)
    return [event for event in found if not isinstance(event, Start | UsageSnapshot | Finish | End)]


def failure(data: bytes) -> Any:
    events = decode(data)
    assert isinstance(events[-1], Failure)
    assert not any(isinstance(event, Failure | Finish | End) for event in events[:-1])
    return events[-1].error


def test_a_text_is_told_as_it_comes() -> None:
    assert decode(wire(START, PING, *spoken("H", "", "i"), stop(), STOP)) == [
        Start("msg_1", "claude-x"),
        UsageSnapshot(Usage(in_uncached=10, out_visible=1)),
        PartStart(0, Text(text="")),
        TextDelta(0, "H"),
        TextDelta(0, "i"),
        PartEnd(0),
        UsageSnapshot(Usage(in_uncached=10, out_visible=5)),
        Finish(reason="stop", native="end_turn"),
        End(),
    ]


def test_a_block_that_begins_with_text_keeps_it() -> None:
    answer = fold(decode(wire(START, block(0, type="text", text="H"), text(0, "i"), end(0), stop(), STOP)))
    assert answer.choices[0].parts == (Text(text="Hi"),)


def test_the_signature_of_thinking_comes_whole_at_its_end() -> None:
    assert body_of(
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking", thinking="Hm"),
        delta(0, "signature", signature="S"),
        end(0),
    ) == [
        PartStart(0, Reasoning(visible=("",), format=FORMAT)),
        ReasoningDelta(0, "Hm"),
        SealedDelta(0, Sealed("signature", FORMAT, "S")),
        PartEnd(0),
    ]


def test_t55_redacted_thinking_comes_whole_in_its_start() -> None:
    part = Reasoning(sealed=(Sealed("redacted", FORMAT, "X"),), format=FORMAT)
    assert body_of(block(0, type="redacted_thinking", data="X"), end(0)) == [PartStart(0, part), PartEnd(0)]


def test_a_call_and_its_arguments() -> None:
    assert body_of(
        block(1, type="tool_use", id="toolu_A", name="f", input={}),
        arguments(1, ""),
        arguments(1, '{"a":'),
        arguments(1, "1}"),
        end(1),
    ) == [
        PartStart(1, ToolCall(call_id="toolu_A", name="f")),
        ArgumentsDelta(1, '{"a":'),
        ArgumentsDelta(1, "1}"),
        PartEnd(1),
    ]


@pytest.mark.parametrize(
    ("begun_with", "pieces", "expected"),
    [({}, [], "{}"), ({}, [""], "{}"), ({"a": 1}, [], '{"a":1}'), ({"a": 1}, ['{"a": 2}'], '{"a": 2}')],
)
def test_t24_a_call_always_has_arguments(begun_with: dict[str, int], pieces: list[str], expected: str) -> None:
    events = body_of(
        block(0, type="tool_use", id="A", name="f", input=begun_with),
        *(arguments(0, piece) for piece in pieces),
        end(0),
    )
    assert "".join(event.text for event in events if isinstance(event, ArgumentsDelta)) == expected


def test_a_renamed_tool_has_the_callers_name_again() -> None:
    plan = AnswerPlan(tools={"a_b": "a.b"})
    start = body_of(block(0, type="tool_use", id="A", name="a_b", input={}), end(0), plan=plan)[0]
    assert start == PartStart(0, ToolCall(call_id="A", name="a.b"))


@pytest.mark.parametrize(
    ("pieces", "expected"), [(['{"input": "sel', 'ect \\"1"}'], 'select "1'), (['{"inp'], '{"inp')]
)
def test_a_custom_tool_is_given_its_free_text(pieces: list[str], expected: str) -> None:
    plan = AnswerPlan(custom=frozenset({"sql"}))
    events = body_of(
        block(0, type="tool_use", id="A", name="sql", input={}),
        *(arguments(0, piece) for piece in pieces),
        end(0),
        plan=plan,
    )
    assert events == [
        PartStart(0, ToolCall(call_id="A", name="sql", kind="custom")),
        ArgumentsDelta(0, expected),
        PartEnd(0),
    ]


def test_t64_the_hidden_tool_is_the_answers_text() -> None:
    plan = AnswerPlan(hidden="respond_json")
    data = wire(
        START,
        block(0, type="tool_use", id="A", name="respond_json", input={}),
        arguments(0, '{"a"'),
        arguments(0, ": 1}"),
        end(0),
        stop("tool_use"),
        STOP,
    )
    answer = fold(decode(data, plan))
    assert answer.choices[0].parts == (Text(text='{"a": 1}'),)
    assert answer.choices[0].finish.reason == "stop"


def test_the_hidden_tool_beside_a_call_leaves_the_call_to_the_caller() -> None:
    plan = AnswerPlan(hidden="respond_json")
    hidden = [block(0, type="tool_use", id="A", name="respond_json", input={}), end(0)]
    called = [block(1, type="tool_use", id="B", name="f", input={}), end(1)]
    assert (
        fold(decode(wire(START, *hidden, *called, stop("tool_use"), STOP), plan)).choices[0].finish.reason
        == "tool_calls"
    )


def test_t108_a_tool_of_the_providers_own_is_no_call() -> None:
    search = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []}
    data = wire(
        START,
        block(0, **search),
        arguments(0, '{"query"'),
        arguments(0, ':"x"}'),
        end(0),
        block(1, **found),
        end(1),
        *spoken("Hi", index=2),
        stop(),
        STOP,
    )
    answer = fold(decode(data))
    first, second, third = answer.choices[0].parts
    assert isinstance(first, Opaque)
    assert isinstance(second, Opaque)
    assert json.loads(bytes(first.raw)) == search | {"input": {"query": "x"}}
    assert json.loads(bytes(second.raw)) == found
    assert third == Text(text="Hi")
    assert answer.choices[0].finish.reason == "stop"


def test_a_citation_stays_with_its_text() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "x"}
    event = body_of(block(0, type="text", text=""), delta(0, "citations", citation=cited), end(0))[1]
    assert isinstance(event, CitationDelta)
    assert (event.citation.kind, event.citation.url, event.citation.title) == ("url", "https://a", "A")
    assert json.loads(bytes(event.citation.raw)) == cited


def test_t54_what_a_later_event_counts_replaces_what_an_earlier_one_did() -> None:
    start = {
        "type": "message_start",
        "message": {"id": "m", "usage": {"input_tokens": 2068, "cache_read_input_tokens": 7, "output_tokens": 1}},
    }
    later = stop(usage={"input_tokens": 22397, "cache_read_input_tokens": None}, output=9)
    usage = fold(decode(wire(start, later, stop(output=11), STOP))).usage
    assert usage == Usage(in_uncached=22397, in_cache_read=7, out_visible=11)


FINISHES: list[tuple[str, str]] = [
    ("end_turn", "stop"),
    ("max_tokens", "length"),
    ("stop_sequence", "stop_sequence"),
    ("tool_use", "tool_calls"),
    ("pause_turn", "pause"),
    ("refusal", "refusal"),
    ("model_context_window_exceeded", "context_length"),
    ("compaction", "other"),
    ("something_new", "other"),
]


@pytest.mark.parametrize(("native", "reason"), FINISHES)
def test_t40_every_reason_to_stop_is_known(native: str, reason: str) -> None:
    finish = fold(decode(wire(START, stop(native), STOP))).choices[0].finish
    assert (finish.reason, finish.native) == (reason, native)


@pytest.mark.parametrize("native", ["end_turn", "stop_sequence", "something_new", "tool_use"])
def test_a_call_is_why_it_stopped_whatever_the_word(native: str) -> None:
    data = wire(START, block(0, type="tool_use", id="A", name="f", input={}), end(0), stop(native), STOP)
    assert fold(decode(data)).choices[0].finish.reason == "tool_calls"


@pytest.mark.parametrize(("native", "reason"), [("max_tokens", "length"), ("refusal", "refusal")])
def test_t37_a_call_that_was_cut_short_is_not_said_to_be_whole(native: str, reason: str) -> None:
    data = wire(START, block(0, type="tool_use", id="A", name="f", input={}), arguments(0, '{"a":'), stop(native), STOP)
    answer = fold(decode(data))
    assert answer.choices[0].finish.reason == reason
    assert answer.choices[0].parts == (ToolCall(call_id="A", name="f", arguments='{"a":'),)


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    finish = fold(decode(wire(START, *spoken("Ye"), stop("refusal", stop_details=details), STOP))).choices[0].finish
    assert (finish.category, finish.explanation) == ("cyber", "No.")


# --- what is odd


ODD: list[dict[str, Any]] = [
    {"type": "novelty", "index": "x", "delta": 3},
    block(7, type="hologram", content=[1]),
    delta(7, "hologram", shape="cube"),
    end(7),
    delta(0, "novelty", x=1),
    delta(99, "text", text="to nobody"),
    end(99),
    PING,
    {"type": "content_block_delta", "index": 0, "delta": None},
]


def test_t39_what_is_not_known_changes_nothing_else() -> None:
    plain = [START, block(0, type="text", text=""), text(0, "Hi"), end(0), stop(), STOP]
    expected = fold(decode(wire(*plain))).choices[0]
    opened = [START, plain[1], *ODD, *plain[2:]]
    parts = fold(decode(wire(*opened))).choices[0].parts
    assert parts[0] == expected.parts[0]
    assert [part.type for part in parts[1:] if isinstance(part, Opaque)] == ["hologram"]


def test_members_that_have_no_place_are_kept_beside() -> None:
    told = stop(container={"id": "c"}) | {"context_management": {"applied_edits": []}}
    start = {"type": "message_start", "message": START["message"] | {"input_transformations": [1]}}
    answer = fold(decode(wire(start, told, STOP)))
    assert [(aside.name, json.loads(bytes(aside.raw))) for aside in answer.asides if isinstance(aside, Aside)] == [
        ("input_transformations", [1]),
        ("context_management", {"applied_edits": []}),
        ("container", {"id": "c"}),
    ]


@pytest.mark.parametrize(
    "noise",
    [b": hello\n\n", b"data:\n\n", b"data: \n\n", b"data: : x\n\n", b"event: ping\ndata:\n\n", b"data: [DONE]\n\n"],
)
def test_t44_t45_comments_and_empty_data_are_passed_over(noise: bytes) -> None:
    events = [START, *spoken("Hi"), stop(), STOP]
    quiet = decode(b"".join(wire(event) for event in events))
    assert decode(noise.join(wire(event) for event in events)) == quiet


# --- how it ends


COMPLETE = wire(START, *spoken("Hi"), stop(), STOP)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [START],
        [START, *spoken("Hi")[:2]],
        [START, *spoken("Hi")],
        [START, block(0, type="tool_use", id="A", name="f", input={}), arguments(0, '{"a')],
    ],
)
def test_t33_a_stream_that_breaks_off_is_a_failure_and_no_answer(events: list[dict[str, Any]]) -> None:
    assert isinstance(failure(wire(*events)), Interrupted)


def test_an_answer_that_only_lacks_its_farewell_is_complete() -> None:
    data = wire(START, *spoken("Hi"), stop())
    whole = decode(COMPLETE)
    assert decode(data) == whole
    assert decode(data + b"event: message_st") == whole
    assert decode(data + b'event: message_stop\ndata: {"type":"mess') == whole
    assert decode(COMPLETE[:-2]) == whole


def test_an_end_without_a_reason_is_a_failure() -> None:
    assert isinstance(failure(wire(START, *spoken("Hi"), STOP)), Interrupted)


def test_nothing_is_read_after_the_end() -> None:
    decoder = StreamDecoder(PLAN)
    assert decoder.feed(COMPLETE + COMPLETE + b"data: nonsense\n\n") == decode(COMPLETE)
    assert decoder.finished
    assert decoder.feed(COMPLETE) == [] == decoder.close()


def error(kind: str, message: str = "M") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


ERRORS: list[tuple[dict[str, Any], type[Exception], int]] = [
    (error("overloaded_error", "Overloaded"), Overloaded, 503),
    (error("rate_limit_error"), Throttled, 429),
    (error("invalid_request_error"), Rejected, 400),
]


@pytest.mark.parametrize(("event", "kind", "status"), ERRORS)
@pytest.mark.parametrize("before", [[], [START], [START, *spoken("Hi")], [START, *spoken("Hi"), stop()]])
def test_t34_an_error_in_a_stream_is_its_end(
    event: dict[str, Any], kind: type[Exception], status: int, before: list[dict[str, Any]]
) -> None:
    found = failure(wire(*before, event) + COMPLETE)
    assert (type(found), found.status) == (kind, status)


def test_an_error_without_its_events_name_is_one_too() -> None:
    data = wire(START) + b'data: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    assert isinstance(failure(data), Overloaded)
    assert isinstance(failure(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'), Overloaded)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {nonsense\n\n",
        b'data: {"type":"message_start","message":3}\n\n',
        b'data: {"type":"message_stop","index":"x"}\n\n',
        b"data: \xff\n\n",
    ],
)
def test_what_is_no_event_is_a_failure(data: bytes) -> None:
    assert isinstance(failure(wire(START) + data), BadAnswer)


def test_t83_an_event_may_be_long_but_not_endless() -> None:
    assert fold(decode(wire(START, *spoken("x" * 5_000_000), stop(), STOP))).choices[0].parts == (
        Text(text="x" * 5_000_000),
    )
    decoder = StreamDecoder(PLAN, max_event_bytes=100)
    events = decoder.feed(wire(START)[:-1] + b"x" * 200)
    assert isinstance(events[-1], Failure)
    assert decoder.feed(b"\n\n") == []
