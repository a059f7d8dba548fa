from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.usage import REJECTED, Usage, believed
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import BadAnswer, Failed, GatewayError, KeyRefused, Overloaded, Throttled
from tests.recorded import Interaction, chat_interactions, every

CHAT = ChatDialect()
WHOLE = chat_interactions(ok=True, stream=False)
STREAMS = [each for each in chat_interactions(ok=True, stream=True) if "error_in_stream" not in each.features]


def body(**members: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "object": "chat.completion", "choices": [choice]} | members).encode()


def spoken(message: dict[str, Any]) -> dict[str, Any]:
    """What must survive a change of form: empty members say nothing, and a stream numbers its calls."""
    kept = {name: value for name, value in message.items() if value not in (None, [], "")}
    for call in kept.get("tool_calls", ()):
        call.pop("index", None)
    return kept


def test_every_recorded_answer_goes_on_to_the_byte() -> None:
    assert len(WHOLE) > 700
    for recorded in WHOLE:
        sent = recorded.body
        answer = CHAT.read_answer(sent)
        assert answer.body is sent
        assert answer.finish_reason == (recorded.answer["choices"][0].get("finish_reason") or None)
        usage = recorded.answer.get("usage") or {}
        if usage.get("prompt_tokens"):
            assert answer.usage is not None
            assert answer.usage.input_tokens == usage["prompt_tokens"]
            assert usage["completion_tokens"] <= answer.usage.output_tokens


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"   ",
        b"not json",
        b"<html><body>Sign in to the hotel's network</body></html>",
        b"[]",
        b"[1]",
        b'"text"',
        b"null",
        b"{}",
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        body()[:-1],
        body() + body(),
        b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x": ' + b"9" * 5000 + b', "y": NaN}',
        b'{"x": 1e999, "y": NaN, "choices": [{"message": {}}]}',
        b"data: {}\n\n",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_answer_is_a_bad_one(text: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        CHAT.read_answer(text)
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"error": {"code": 429, "message": "x"}}, Throttled),
        ({"error": {"code": "503", "message": "x"}, "choices": []}, Overloaded),
        ({"error": {"message": "x", "type": "overloaded_error"}}, Overloaded),
        ({"error": {"message": "x", "code": "invalid_api_key"}}, KeyRefused),
        ({"error": {"code": 200, "message": "x"}}, Failed),
        ({"error": "text"}, Failed),
        ({"choices": [{"message": {"content": ""}, "error": {"code": 502, "message": "x"}}]}, Failed),
        ({"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]}, Failed),
    ],
    ids=str,
)
def test_an_error_inside_a_200_is_that_error(members: dict[str, Any], error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        CHAT.read_answer(body(**members))
    assert type(caught.value) is error


@pytest.mark.parametrize("nothing", [None, "", {}, False])
def test_an_error_member_that_says_nothing_is_no_error(nothing: object) -> None:
    assert CHAT.read_answer(body(error=nothing)).finish_reason == "stop"


def test_blank_lines_sent_to_keep_the_line_open_go_on_too() -> None:
    text = b"\n\n  \n" + body()
    assert CHAT.read_answer(text).body == text


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (body(usage={"prompt_tokens": float("nan")}), body(usage={"prompt_tokens": None})),
        (body(usage=float("-inf")), body(usage=None)),
        (body(x="<>").replace(b"<>", b"\xff"), body(x="\ufffd")),
        (body(x="<>").replace(b"<>", b"\\ud800"), body(x="\ufffd")),
        (body(x="<>", usage=float("nan")).replace(b"<>", b"\\ud83d\\ude00"), body(x="😀", usage=None)),
    ],
    ids=["NaN", "infinity", "no UTF-8", "half a pair", "a whole pair beside NaN"],
)
def test_what_is_nearly_json_is_mended(broken: bytes, mended: bytes) -> None:
    answer = CHAT.read_answer(broken)
    assert json.loads(answer.body.decode("utf-8", "strict"), parse_constant=pytest.fail) == json.loads(mended)
    assert believed(answer.usage) is None


def test_a_huge_answer_is_not_mended_while_everybody_waits() -> None:
    with pytest.raises(BadAnswer):
        CHAT.read_answer(body(x="a" * 2_000_000, usage=float("nan")))


def test_absurd_usage_is_absent_and_the_answer_goes_on() -> None:
    text = body(usage={"prompt_tokens": -9, "completion_tokens": 2})
    answer = CHAT.read_answer(text)
    assert (answer.body, answer.usage, answer.text_tokens) == (text, REJECTED, 2)


@every(WHOLE)
def test_a_whole_answer_told_as_a_stream_says_the_same(recorded: Interaction) -> None:
    answer = CHAT.read_answer(recorded.body)
    stream = CHAT.stream_of(answer, include_usage=True)
    watcher = CHAT.watch(drop_usage=False)
    assert watcher.feed(stream) == stream
    assert (watcher.finished, watcher.error, watcher.usage) == (True, None, answer.usage)
    told = json.loads(CHAT.answer_of(stream).body)
    choices = {choice.get("index", 0): choice for choice in recorded.answer["choices"]}
    for index, choice in zip(sorted(choices), told["choices"], strict=True):
        assert spoken(choice["message"]) == spoken(choices[index]["message"])
        assert choice["finish_reason"] == (choices[index].get("finish_reason") or "stop")
    for name in set(recorded.answer) - {"choices", "object", "usage"}:
        assert told[name] == recorded.answer[name]


@every(STREAMS)
def test_a_stream_folds_into_the_answer_it_tells(recorded: Interaction) -> None:
    lines = [line[5:].strip() for line in recorded.answer.splitlines() if line.startswith("data:")]
    chunks = [json.loads(line) for line in lines if line and line != "[DONE]"]
    deltas = [choice for chunk in chunks for choice in chunk["choices"] if choice.get("delta")]
    answer = json.loads(CHAT.answer_of(recorded.body).body)
    for choice in answer["choices"]:
        mine = [each["delta"] for each in deltas if each["index"] == choice["index"]]
        texts = [delta.get("content") for delta in mine]
        if all(isinstance(text, str | None) for text in texts):
            assert (choice["message"].get("content") or "") == "".join(filter(None, texts))
        for name in ("reasoning", "reasoning_content", "refusal"):
            said = "".join(filter(None, (delta.get(name) for delta in mine)))
            assert (choice["message"].get(name) or "") == said
        calls = [call for delta in mine for call in delta.get("tool_calls") or []]
        ids = list(dict.fromkeys(call["id"] for call in calls if call.get("id")))
        assert [call["id"] for call in choice["message"].get("tool_calls", []) if call.get("id")] == ids
        arguments = "".join((call.get("function") or {}).get("arguments") or "" for call in calls)
        told = "".join(call["function"].get("arguments") or "" for call in choice["message"].get("tool_calls", []))
        assert sorted(told) == sorted(arguments)


def test_usage_is_told_in_a_stream_only_on_request() -> None:
    answer = CHAT.read_answer(body(usage={"prompt_tokens": 9, "completion_tokens": 2}))
    assert answer.usage == Usage(in_uncached=9, out_visible=2)
    assert b'"usage"' in CHAT.stream_of(answer, include_usage=True)
    assert b'"usage"' not in CHAT.stream_of(answer, include_usage=False)
    unknown = CHAT.read_answer(body())
    assert b'"usage"' not in CHAT.stream_of(unknown, include_usage=True)


def test_two_calls_at_one_index_stay_two() -> None:
    def chunk(call: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"

    stream = b"".join(
        chunk(call)
        for call in (
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
            {"index": 0, "function": {"arguments": '{"x":1}'}},
            {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}},
        )
    )
    calls = json.loads(CHAT.answer_of(stream + b"data: [DONE]\n\n").body)["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", '{"x":1}'), ("b", "{}")]


def test_a_stream_that_breaks_off_folds_into_no_answer() -> None:
    with pytest.raises(GatewayError):
        CHAT.answer_of(b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n')
