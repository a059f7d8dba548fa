"""A Chat caller and a Messages target, from the request to the last byte of the answer: whole answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.translate import Translation
from gaiarouter.errors import BadAnswer, Overloaded
from tests.dialects.messages.stream import START, STOP, spoken, stop, wire
from tests.dialects.translated import HEAD, OVERLOADED, translation, usage_chunk


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
    assert found.finish_reason == "stop"
    assert found.usage is not None


def test_what_is_said_is_weighed_where_the_provider_tells_no_usage() -> None:
    texts = ({"type": "text", "text": "Hell"}, {"type": "text", "text": "o"})
    found = translation().read_answer(answer(*texts, usage=None))
    assert (found.usage, found.text_tokens) == (None, 2)


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
    assert made.answer_of(wire(*events)) == found
    assert stream == made.watch().feed(wire(*events))


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
