"""Streams of the Gemini format: framing, growth, errors, endings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.events import (
    CitationDelta,
    End,
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
from gaiarouter.canonical.parts import Reasoning, Sealed, Text
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.errors import BadAnswer, Failed, Interrupted, Overloaded, Rejected, Throttled
from tests.dialects.gemini.stream import PLAN, array, called, decode, only, response, streamed, text, texts, wire

HELLO = (
    response(text("Hm", thought=True)),
    response(text("Hel")),
    response(text("lo \u2028\u0085 𝄞")),
    response(text("", thoughtSignature="S"), finish="STOP"),
)
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
FORMAT = "google-gemini-v1"


def test_the_events_of_a_stream_in_their_order() -> None:
    events = decode(wire(*HELLO))
    (usage,) = [event for event in events if isinstance(event, UsageSnapshot)]
    assert events == [
        Start("r1", "gemini-x"),
        PartStart(0, Reasoning(format=FORMAT)),
        ReasoningDelta(0, "Hm"),
        usage,
        PartEnd(0),
        PartStart(1, Text(text="")),
        TextDelta(1, "Hel"),
        TextDelta(1, "lo \u2028\u0085 𝄞"),
        PartEnd(1),
        PartStart(2, Text(text="")),
        SealedDelta(2, Sealed("encrypted", FORMAT, "S")),
        PartEnd(2),
        Finish(reason="stop", native="STOP"),
        End(),
    ]


def test_what_is_signed_is_neither_continued_nor_a_continuation() -> None:
    answer = streamed(
        response(text("a")),
        response(text("b", thoughtSignature="S")),
        response(text("c")),
        response(text("d"), finish="STOP"),
    )
    assert texts(only(answer)) == ["a", "b", "cd"]


def test_a_text_does_not_go_on_behind_a_call() -> None:
    answer = streamed(response(text("a")), response(called("f")), response(text("b")), response(finish="STOP"))
    assert [type(part).__name__ for part in only(answer).parts] == ["Text", "ToolCall", "Text"]


FORMS: dict[str, bytes] = {
    "as it comes": wire(*HELLO),
    "LF": wire(*HELLO, end="\n"),
    "CR": wire(*HELLO, end="\r"),
    "without the space": wire(*HELLO).replace(b"data: ", b"data:"),
    "with a byte order mark": b"\xef\xbb\xbf" + wire(*HELLO),
    "without the last blank line": wire(*HELLO).rstrip(),
    "with comments": b": hi\r\n\r\n" + wire(*HELLO).replace(b"data: ", b": hi\r\ndata: "),
    "with empty data": b"data:\r\n\r\ndata: \r\n\r\ndata: : keepalive\r\n\r\n" + wire(*HELLO),
    "with DONE": wire(*HELLO) + b"data: [DONE]\r\n\r\n",
    "as an array": array(*HELLO),
    "as an array on one line": json.dumps(HELLO).encode(),
    "as objects": b"\n".join(json.dumps(each, ensure_ascii=False).encode() for each in HELLO),
    "as an array after blank lines": b"\r\n  " + array(*HELLO),
}


@pytest.mark.parametrize("form", FORMS)
def test_t41_t43_t44_t45_t88_a_stream_in_any_form_says_the_same(form: str) -> None:
    expected = decode(wire(*HELLO))
    assert decode(FORMS[form]) == expected
    assert decode(FORMS[form], cuts=list(range(len(FORMS[form])))) == expected


@given(st.sampled_from(sorted(FORMS)), st.lists(st.integers(0, 2000)))
def test_t42_events_do_not_depend_on_chunk_borders(form: str, cuts: list[int]) -> None:
    data = FORMS[form]
    assert decode(data, cuts=[min(cut, len(data)) for cut in cuts]) == decode(wire(*HELLO))


TRICKY = [r"{", r"}", '"', "\\", '\\"', "[{]}", "\\\\", "a\\"]


@given(st.lists(st.sampled_from(TRICKY), max_size=8).map("".join), st.lists(st.integers(0, 500)))
def test_braces_and_quotes_in_a_text_do_not_end_an_object(value: str, cuts: list[int]) -> None:
    data = array(response(text(f"x{value}")), response(finish="STOP"))
    answer = fold(decode(data, cuts=[min(cut, len(data)) for cut in cuts]))
    assert texts(only(answer)) == [f"x{value}"]


ERRORS: dict[str, bytes] = {
    "as an event": wire(ERROR),
    "as an event in a list": b"data: " + json.dumps([ERROR]).encode() + b"\r\n\r\n",
    "bare": json.dumps(ERROR).encode(),
    "bare and ended": json.dumps(ERROR).encode() + b"\r\n\r\n",
    "bare over many lines": json.dumps(ERROR, indent=2).encode() + b"\n",
    "bare in a list": json.dumps([ERROR], indent=2).encode() + b"\n",
    "named": b"event: error\r\ndata: " + json.dumps(ERROR).encode() + b"\r\n\r\n",
    "beside a candidate": wire(response(text("x"), finish="STOP") | ERROR),
}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("form", ERRORS)
def test_t34_an_error_in_a_stream_is_its_end(form: str, begun: bool) -> None:
    data = (wire(HELLO[1]) if begun else b"") + ERRORS[form]
    events = decode(data, cuts=list(range(len(data))))
    assert isinstance(events[-1], Failure)
    assert isinstance(events[-1].error, Overloaded)
    assert not any(isinstance(event, Finish | End) for event in events)
    assert any(isinstance(event, TextDelta) for event in events) == begun


def test_an_error_in_an_array_is_its_end() -> None:
    events = decode(array(HELLO[1], ERROR))
    assert isinstance(events[-1], Failure)
    assert isinstance(events[-1].error, Overloaded)


STATUSES: list[tuple[dict[str, Any], type]] = [
    ({"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}, Throttled),
    ({"status": "RESOURCE_EXHAUSTED", "message": "m"}, Throttled),
    ({"code": 400, "status": "INVALID_ARGUMENT", "message": "m"}, Rejected),
    ({"status": "INVALID_ARGUMENT", "message": "m"}, Rejected),
    ({"code": 500, "status": "INTERNAL", "message": "m"}, Failed),
    ({"status": "INTERNAL", "message": "m"}, Failed),
    ({"message": "m"}, Failed),
    ({"code": "x"}, Failed),
]


@pytest.mark.parametrize(("error", "kind"), STATUSES, ids=[str(row[0]) for row in STATUSES])
def test_an_error_in_a_stream_has_the_meaning_of_its_status(error: dict[str, Any], kind: type) -> None:
    failure = decode(wire({"error": error}))[-1]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, kind)


def test_an_error_that_is_null_is_none() -> None:
    assert texts(only(streamed(response(text("x"), finish="STOP") | {"error": None}))) == ["x"]


CUT: dict[str, bytes] = {
    "nothing": b"",
    "blank": b"\r\n\r\n",
    "comments alone": b": hi\r\n\r\n",
    "after a text": wire(*HELLO[:3]),
    "after a call": wire(response(called("f"))),
    "in an event": wire(*HELLO)[:-30],
    "in an array": array(*HELLO)[:-60],
    "one of two candidates": wire(
        response(text("a")), {"candidates": [{"index": 1, "content": {"parts": [text("b")]}, "finishReason": "STOP"}]}
    ),
}


@pytest.mark.parametrize("form", CUT)
def test_t33_a_stream_without_a_reason_to_end_is_cut_short(form: str) -> None:
    events = decode(CUT[form])
    assert isinstance(events[-1], Failure)
    assert isinstance(events[-1].error, Interrupted)
    assert not any(isinstance(event, Finish | End) for event in events)


def test_what_is_torn_behind_the_reason_to_end_does_no_harm() -> None:
    events = decode(wire(*HELLO) + b'data: {"usageMetadata": {"promptTok')
    assert events == decode(wire(*HELLO))


def test_t32_a_reason_that_comes_twice_is_told_once_and_last() -> None:
    events = decode(wire(response(text("a"), finish="STOP"), response(text("b"), finish="MAX_TOKENS")))
    assert [event for event in events if isinstance(event, Finish)] == [Finish(reason="length", native="MAX_TOKENS")]
    assert texts(only(fold(events))) == ["ab"]


BAD: dict[str, bytes] = {
    "no JSON": b"data: hello\r\n\r\n",
    "a list": b"data: [1]\r\n\r\n",
    "the wrong type": b'data: {"candidates": 1}\r\n\r\n',
    "broken UTF-8": b'data: {"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}\r\n\r\n',
    "bare JSON without an error": wire(HELLO[1]) + b'{"hello": 1}\r\n\r\n',
}


@pytest.mark.parametrize("form", BAD)
def test_what_is_no_stream_is_a_bad_answer(form: str) -> None:
    events = decode(BAD[form] + wire(*HELLO))
    assert isinstance(events[-1], Failure)
    assert isinstance(events[-1].error, BadAnswer)


@pytest.mark.parametrize("data", [b"data: ", b"["])
def test_an_event_has_a_greatest_length(data: bytes) -> None:
    decoder = StreamDecoder(PLAN, max_event_bytes=1000)
    (failure,) = decoder.feed(data + b'{"candidates": [{"x": "' + b"x" * 2000)
    assert isinstance(failure, Failure)
    assert failure.error.code == "upstream_response_too_large"
    assert decoder.feed(b"more") == decoder.close() == []


def test_t83_an_event_may_be_large() -> None:
    value = "x" * 5_000_000
    assert texts(only(streamed(response(text(value), finish="STOP")))) == [value]


def test_t54_a_count_that_is_missing_later_stays() -> None:
    events = decode(
        wire(
            response(text("a")) | {"usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 4}},
            response(text("b")) | {"usageMetadata": {"trafficType": "ON_DEMAND"}},
            response(finish="STOP") | {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2}},
        )
    )
    usages = [event.usage for event in events if isinstance(event, UsageSnapshot)]
    assert [(usage.in_uncached, usage.in_cache_read, usage.out_visible) for usage in usages] == [(5, 4, 0), (6, 4, 2)]


def test_the_reason_to_end_is_told_only_at_the_end() -> None:
    decoder = StreamDecoder(PLAN)
    events = decoder.feed(wire(*HELLO))
    assert not any(isinstance(event, Finish | End | CitationDelta) for event in events)
    assert decoder.close()[-2:] == [Finish(reason="stop", native="STOP"), End()]
    assert decoder.close() == []
