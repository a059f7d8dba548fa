"""A Chat caller and a Messages target, from the request to the last byte of the answer: the worked traces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat.errors import error_event
from gaiarouter.dialects.translate import TranslatedStream
from gaiarouter.errors import Interrupted, Overloaded, Rejected
from tests.dialects.messages.stream import PING, START, STOP, arguments, block, delta, end, spoken, stop, text, wire
from tests.dialects.translated import HEAD, OVERLOADED, translation, usage_chunk

DONE = "[DONE]"


def streaming(**members: Any) -> TranslatedStream:
    return translation(stream=True, stream_options={"include_usage": True}, **members).watch()


def told(data: bytes) -> list[Any]:
    """Events of a Chat stream, less what is the same in all of them."""
    events = [event.removeprefix("data: ") for event in data.decode().split("\n\n")[:-1]]
    return [DONE if event == DONE else less_head(json.loads(event)) for event in events]


def less_head(chunk: dict[str, Any]) -> dict[str, Any]:
    assert {name: chunk.pop(name) for name in HEAD} == HEAD
    return chunk


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"choices": [choice], "usage": None}


ROLE = chunk({"role": "assistant", "content": ""})


def call_start(index: int, id_: str, name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": ""}
    return chunk({"tool_calls": [{"index": index, "id": id_, "type": "function", "function": function}]})


def call_more(index: int, piece: str) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def test_plain_text_event_by_event() -> None:
    watcher = streaming()
    steps = [
        (START, [ROLE]),
        (block(0, type="text", text=""), []),
        (PING, []),
        (text(0, "Hi"), [chunk({"content": "Hi"})]),
        (end(0), []),
        (stop(), []),
        (STOP, [chunk({}, "stop"), usage_chunk(10, 5), DONE]),
    ]
    for event, expected in steps:
        assert told(watcher.feed(wire(event))) == expected
    assert (watcher.finished, watcher.error, watcher.finish_reason, watcher.text_tokens) == (True, None, "stop", 1)
    assert watcher.close() == b""


def test_t21_t23_t24_parallel_calls_are_counted_from_zero_and_named_once() -> None:
    data = wire(
        START,
        *spoken("Checking"),
        block(1, type="tool_use", id="toolu_A", name="get_weather", input={}),
        arguments(1, ""),
        arguments(1, '{"city":'),
        arguments(1, '"SF"}'),
        end(1),
        block(2, type="tool_use", id="toolu_B", name="get_time", input={}),
        arguments(2, ""),
        end(2),
        stop("tool_use"),
        STOP,
    )
    assert told(streaming().feed(data)) == [
        ROLE,
        chunk({"content": "Checking"}),
        call_start(0, "toolu_A", "get_weather"),
        call_more(0, '{"city":'),
        call_more(0, '"SF"}'),
        call_start(1, "toolu_B", "get_time"),
        call_more(1, "{}"),
        chunk({}, "tool_calls"),
        usage_chunk(10, 5),
        DONE,
    ]


def test_t36_a_refusal_after_text_is_told_as_one_and_not_as_an_answer() -> None:
    details = {"type": "refusal", "category": None, "explanation": "I will not."}
    data = wire(START, *spoken("Sure"), stop("refusal", stop_details=details), STOP)
    assert told(streaming().feed(data))[1:-2] == [
        chunk({"content": "Sure"}),
        chunk({"refusal": "I will not."}),
        chunk({}, "content_filter"),
    ]
    silent = wire(START, stop("refusal", stop_details=None), STOP)
    assert told(streaming().feed(silent))[1] == chunk({"refusal": "The model declined to answer."})


@pytest.mark.parametrize(("native", "word"), [("max_tokens", "length"), ("model_context_window_exceeded", "length")])
def test_a_limit_is_told_as_length(native: str, word: str) -> None:
    assert told(streaming().feed(wire(START, *spoken("x"), stop(native), STOP)))[-3] == chunk({}, word)


def test_a_pause_is_told_beside() -> None:
    last = told(streaming().feed(wire(START, stop("pause_turn"), STOP)))[-3]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["choices"][0]["native_finish_reason"] == "pause_turn"


def thinking(index: int, text_: str, signature: str) -> list[dict[str, Any]]:
    return [
        block(index, type="thinking", thinking="", signature=""),
        delta(index, "thinking", thinking=text_),
        delta(index, "signature", signature=signature),
        end(index),
    ]


def detail(index: int, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "index": index, "format": "anthropic-claude-v1", **members}


def thought(shown: str, told_: dict[str, Any]) -> dict[str, Any]:
    return chunk({"reasoning_content": shown, "reasoning": shown, "reasoning_details": [told_]})


def test_t59_thinking_is_told_beside_the_answer_with_what_must_come_back() -> None:
    redacted = [block(1, type="redacted_thinking", data="X"), end(1)]
    data = wire(START, *thinking(0, "A", "S1"), *redacted, *spoken("T", index=2), *thinking(3, "B", "S2"), stop(), STOP)
    assert told(streaming().feed(data))[1:-3] == [
        thought("A", detail(0, text="A")),
        chunk({"reasoning_details": [detail(0, text="", signature="S1")]}),
        chunk({"reasoning_details": [detail(1, data="X") | {"type": "reasoning.encrypted"}]}),
        chunk({"content": "T"}),
        thought("\n\nB", detail(2, text="B", position=3)),
        chunk({"reasoning_details": [detail(2, text="", position=3, signature="S2")]}),
    ]


def test_a_caller_that_wants_no_thinking_sees_none() -> None:
    data = wire(START, *thinking(0, "Hm", "S"), *spoken("T", index=1), stop(), STOP)
    assert told(streaming(reasoning={"exclude": True}).feed(data))[1:-3] == [chunk({"content": "T"})]


def test_citations_are_told_when_their_text_is_complete() -> None:
    web = {
        "type": "web_search_result_location",
        "url": "https://a",
        "title": "A",
        "cited_text": "x",
        "encrypted_index": "E",
    }
    page = {"type": "page_location", "document_title": "D", "start_page_number": 1}
    data = wire(
        START,
        *spoken("Öne "),
        block(1, type="text", text=""),
        delta(1, "citations", citation=web),
        text(1, "two"),
        delta(1, "citations", citation=page),
        end(1),
        stop(),
        STOP,
    )
    url = {"url": "https://a", "title": "A", "start_index": 4, "end_index": 7}
    assert told(streaming().feed(data))[3:5] == [
        chunk({"annotations": [{"index": 0, "type": "url_citation", "url_citation": url}]}),
        chunk({"citations": [{"index": 0, "dialect": "messages", "citation": page}]}),
    ]


def test_a_caller_of_functions_hears_of_one_function() -> None:
    data = wire(
        START,
        block(0, type="tool_use", id="A", name="f", input={}),
        arguments(0, '{"a":1}'),
        end(0),
        stop("tool_use"),
        STOP,
    )
    chunks = told(streaming(functions=[{"name": "f"}]).feed(data))
    assert chunks[1:4] == [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"a":1}'}}),
        chunk({}, "function_call"),
    ]


@pytest.mark.parametrize("include", [True, False, None])
def test_t53_usage_is_told_once_and_only_if_asked_for(include: bool | None) -> None:
    members = {} if include is None else {"stream_options": {"include_usage": include}}
    watcher = translation(stream=True, **members).watch()
    data = watcher.feed(wire(START, *spoken("Hi"), stop(), STOP))
    assert data.count(b'"usage":') == (len(told(data)) - 1 if include else 0)
    assert data.count(b'"prompt_tokens"') == (1 if include else 0)
    assert watcher.usage is not None
    assert watcher.usage.total_tokens == 15


def test_content_has_started_with_the_first_thing_that_the_model_says() -> None:
    watcher = streaming()
    watcher.feed(wire(START, PING, block(0, type="text", text="")))
    assert not watcher.content_started
    watcher.feed(wire(text(0, "H")))
    assert watcher.content_started


def test_an_error_in_the_middle_ends_the_stream_without_an_end() -> None:
    watcher = streaming()
    data = watcher.feed(wire(START, *spoken("Hi"), OVERLOADED, STOP))
    assert told(data) == [ROLE, chunk({"content": "Hi"})]
    assert isinstance(watcher.error, Overloaded)
    assert watcher.feed(wire(*spoken("more"))) == watcher.close() == b""
    last = json.loads(error_event(watcher.error, "r").removeprefix(b"data: "))
    assert last["error"] == {"message": "Overloaded", "type": "api_error", "param": None, "code": "upstream_overloaded"}


def test_t33_a_stream_that_breaks_off_is_no_success() -> None:
    watcher = streaming()
    data = watcher.feed(wire(START, *spoken("Hi"))) + watcher.close()
    assert DONE not in told(data)
    assert isinstance(watcher.error, Interrupted)
    assert not watcher.finished


def test_a_providers_own_words_in_its_own_form_are_not_for_callers_of_another() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"messages: bad"}}'
    error = translation().read_error(400, {}, body)
    assert isinstance(error, Rejected)
    assert (error.body, error.message) == (None, "messages: bad")
