"""A Chat caller and a Messages target, from the request to the last byte of the answer: the worked traces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.chat.errors import error_event
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.translate import TranslatedStream, Translation
from gaiarouter.errors import BadAnswer, Interrupted, Overloaded, Rejected
from tests.dialects.messages.stream import PING, START, STOP, arguments, block, delta, end, spoken, stop, text, wire

TARGET = MessagesTarget(CapabilityTable())
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x"}
DONE = "[DONE]"


def translation(model: str = "claude-sonnet-4", **members: Any) -> Translation:
    caller = ChatCaller()
    body = {"model": "x", "messages": [{"role": "user", "content": "Hi"}]} | members
    request = caller.decode_request(json.dumps(body).encode())
    prepared = TARGET.prepare(request, model=model, strict=False)
    return Translation(prepared, caller.writer(request, fallback_id="chatcmpl-own", created=7))


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


def usage_chunk(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "choices": [],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


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


def test_t59_thinking_is_told_beside_the_answer_with_what_must_come_back() -> None:
    data = wire(
        START,
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking", thinking="A"),
        delta(0, "signature", signature="S1"),
        end(0),
        block(1, type="redacted_thinking", data="X"),
        end(1),
        *spoken("T", index=2),
        block(3, type="thinking", thinking="", signature=""),
        delta(3, "thinking", thinking="B"),
        delta(3, "signature", signature="S2"),
        end(3),
        stop(),
        STOP,
    )
    form = {"format": "anthropic-claude-v1"}
    assert told(streaming().feed(data))[1:-3] == [
        chunk(
            {
                "reasoning_content": "A",
                "reasoning": "A",
                "reasoning_details": [{"type": "reasoning.text", "text": "A", "index": 0} | form],
            }
        ),
        chunk({"reasoning_details": [{"type": "reasoning.text", "text": "", "index": 0, "signature": "S1"} | form]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "X", "index": 1} | form]}),
        chunk({"content": "T"}),
        chunk(
            {
                "reasoning_content": "\n\nB",
                "reasoning": "\n\nB",
                "reasoning_details": [{"type": "reasoning.text", "text": "B", "index": 2, "position": 3} | form],
            }
        ),
        chunk(
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "", "index": 2, "position": 3, "signature": "S2"} | form
                ]
            }
        ),
    ]


def test_a_caller_that_wants_no_thinking_sees_none() -> None:
    data = wire(
        START,
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking", thinking="Hm"),
        delta(0, "signature", signature="S"),
        end(0),
        *spoken("T", index=1),
        stop(),
        STOP,
    )
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


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


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


# --- whole answers


def answer(*content: dict[str, Any], **members: Any) -> bytes:
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    return json.dumps(whole | members).encode()


def test_a_whole_answer() -> None:
    found = translation().read_answer(answer({"type": "text", "text": "H"}, {"type": "text", "text": "i"}))
    assert json.loads(found.body) == HEAD | {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage_chunk(10, 5)["usage"],
        "system_fingerprint": None,
    }
    assert (found.finish_reason, found.text_tokens) == ("stop", 1)
    assert found.usage is not None


def message(*content: dict[str, Any], translated: Translation | None = None, **members: Any) -> dict[str, Any]:
    body = (translated or translation()).read_answer(answer(*content, **members)).body
    found: dict[str, Any] = json.loads(body)["choices"][0]
    return found


CALL = {"type": "tool_use", "id": "toolu_A", "name": "f", "input": {}}
CONTENT: list[tuple[list[dict[str, Any]], dict[str, Any], str | None]] = [
    ([], {}, ""),
    ([], {"stop_reason": "refusal"}, None),
    ([CALL], {"stop_reason": "tool_use"}, None),
    ([{"type": "text", "text": "A"}, CALL], {"stop_reason": "tool_use"}, "A"),
]


@pytest.mark.parametrize(("content", "members", "expected"), CONTENT)
def test_no_text_is_null_only_beside_something_else(
    content: list[dict[str, Any]], members: dict[str, Any], expected: str | None
) -> None:
    assert message(*content, **members)["message"]["content"] == expected


def test_t82_the_arguments_of_a_whole_answer_keep_their_numbers_letters_and_order() -> None:
    spelt = '{ "b": 12345678901234567890123, "c": 1.0, "a": "é" }'
    body = answer(CALL).decode().replace('"input": {}', f'"input": {spelt}').encode()
    found = json.loads(translation().read_answer(body).body)["choices"][0]["message"]["tool_calls"]
    arguments_ = '{"b":12345678901234567890123,"c":1.0,"a":"é"}'
    assert found == [{"id": "toolu_A", "type": "function", "function": {"name": "f", "arguments": arguments_}}]


def test_t56_thinking_comes_back_as_it_was_sent() -> None:
    blocks = [
        {"type": "thinking", "thinking": "A é\u2028", "signature": "S1"},
        {"type": "redacted_thinking", "data": "X"},
        {"type": "thinking", "thinking": "", "signature": "S2"},
        {"type": "text", "text": "T"},
        CALL,
        {"type": "thinking", "thinking": "B", "signature": "S3"},
        CALL | {"id": "toolu_B"},
    ]
    said = message(*blocks, stop_reason="tool_use")["message"]
    assert said["reasoning_content"] == said["reasoning"] == "A é\u2028\n\nB"
    results = [{"role": "tool", "tool_call_id": id_, "content": "ok"} for id_ in ("toolu_A", "toolu_B")]
    again = translation(messages=[{"role": "user", "content": "Hi"}, said, *results])
    assert json.loads(again.request.body)["messages"][1]["content"] == blocks


def test_t29_t64_names_and_hidden_tools_are_undone_in_answers_and_streams() -> None:
    tools = [{"type": "function", "function": {"name": "a.b"}}, {"type": "custom", "custom": {"name": "sql"}}]
    called = [CALL | {"name": "a_b"}, CALL | {"id": "B", "name": "sql", "input": {"input": "select 1"}}]
    expected = [
        {"id": "toolu_A", "type": "function", "function": {"name": "a.b", "arguments": "{}"}},
        {"id": "B", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
    ]
    assert message(*called, translated=translation(tools=tools))["message"]["tool_calls"] == expected
    schema = {"name": "x", "schema": {"type": "object", "properties": {}}}
    json_answer = translation(response_format={"type": "json_schema", "json_schema": schema})
    found = message(CALL | {"name": "respond_json", "input": {"a": 1}}, translated=json_answer, stop_reason="tool_use")
    assert (found["message"]["content"], found["finish_reason"]) == ('{"a":1}', "stop")
    assert "tool_calls" not in found["message"]


def test_t108_what_the_provider_ran_itself_is_no_call_of_the_callers() -> None:
    server = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    found = message(server, {"type": "text", "text": "T"})
    assert "tool_calls" not in found["message"]
    assert found["finish_reason"] == "stop"
    assert found["message"]["provider_blocks"] == [{"dialect": "messages", "block": server}]


def test_t88_a_whole_answer_to_a_streaming_request_is_told_as_a_stream_and_the_other_way_round() -> None:
    made = translation(stream=True, stream_options={"include_usage": True})
    stream, found = made.stream_of(answer({"type": "text", "text": "Hi"}))
    events = [START, *spoken("Hi"), stop(), STOP]
    assert stream == made.watch().feed(wire(*events))
    assert made.answer_of(wire(*events)) == found


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"content": null}', b'{"content": [{}]}', b'{"content": [1]}', b"\xff"]
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        translation().read_answer(body)


def test_t34_an_error_inside_a_good_status_is_an_error() -> None:
    with pytest.raises(Overloaded):
        translation().read_answer(json.dumps(OVERLOADED).encode())


def test_an_answer_without_an_id_has_ours() -> None:
    body = answer().replace(b'"msg_1"', b"null")
    assert json.loads(translation().read_answer(body).body)["id"] == "chatcmpl-own"
