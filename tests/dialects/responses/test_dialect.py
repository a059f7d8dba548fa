"""Responses passed through: the caller's bytes go on, and what comes back is read and not touched."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.responses import ResponsesDialect
from gaiarouter.dialects.responses.chunks import ResponsesStreamWatcher
from gaiarouter.errors import (
    BadAnswer,
    Failed,
    Interrupted,
    InvalidRequest,
    KeyRefused,
    Overloaded,
    Rejected,
    Throttled,
    UpstreamError,
)
from tests.recorded import Interaction, every, interactions

DIALECT = ResponsesDialect()
STREAMS = interactions(endpoint="responses", ok=True, stream=True)
ANSWERS = tuple(
    each for each in interactions(endpoint="responses", ok=True, stream=False) if isinstance(each.answer, dict)
)
ERRORS = interactions(endpoint="responses", ok=False)


def watched(data: bytes, *cuts: int) -> tuple[bytes, ResponsesStreamWatcher]:
    watcher = DIALECT.watch(drop_usage=False)
    edges = [0, *sorted(cuts), len(data)]
    out = b"".join(watcher.feed(data[first:last]) for first, last in itertools.pairwise(edges))
    return out + watcher.close(), watcher


def last_response(recorded: Interaction) -> dict[str, Any]:
    lines = [line for line in recorded.answer.splitlines() if line.startswith("data: {")]
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("data: "))
    return found


@every(STREAMS)
def test_a_stream_goes_on_to_the_byte_and_its_usage_is_read(recorded: Interaction) -> None:
    out, watcher = watched(recorded.body)
    done = recorded.body.find(b"data: [DONE]")
    assert out == (recorded.body if done < 0 else recorded.body[:done])
    assert (watcher.error, watcher.finished, watcher.content_started) == (None, True, True)
    told = last_response(recorded)["response"]
    assert (watcher.usage is None) == (not told.get("usage"))
    if watcher.usage is not None:
        assert watcher.usage.input_tokens == told["usage"]["input_tokens"]
        assert watcher.usage.total_tokens == told["usage"]["total_tokens"]
    assert watcher.finish_reason in ("stop", "tool_calls", "length")


SMALL = min(STREAMS, key=lambda each: len(each.body)).body


def outcome(data: bytes, *cuts: int) -> tuple[Any, ...]:
    out, watcher = watched(data, *cuts)
    return out, watcher.finished, watcher.usage, watcher.finish_reason, watcher.text_tokens, type(watcher.error)


def test_byte_by_byte_it_is_the_same() -> None:
    for data in (SMALL, SMALL.replace(b"\n", b"\r\n"), b": hello\n\n" + SMALL):
        assert outcome(data, *range(1, len(data))) == outcome(data)


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 50_000), max_size=12))
def test_events_do_not_depend_on_where_the_bytes_were_cut(recorded: Interaction, cuts: list[int]) -> None:
    data = recorded.body
    assert outcome(data, *(cut for cut in cuts if cut < len(data))) == outcome(data)


def test_t33_wherever_a_stream_breaks_off_it_is_an_error_and_what_was_good_is_passed() -> None:
    for length in range(len(SMALL.rstrip())):
        out, watcher = watched(SMALL[:length])
        assert isinstance(watcher.error, Interrupted)
        assert SMALL.startswith(out)
        assert out == b"" or out.endswith(b"\n\n")


def event(**members: Any) -> bytes:
    return f"event: {members['type']}\ndata: {json.dumps(members)}\n\n".encode()


FAILED = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}}
LIMIT = {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}, "status": "failed", "output": []}
BAD: list[tuple[bytes, type[UpstreamError]]] = [
    (event(**FAILED), Failed),
    (event(type="response.failed", response=LIMIT), Throttled),
    (event(type="error", code="server_error", message="x", param=None, sequence_number=3), Failed),
    (event(type="error", error={"type": "overloaded_error", "message": "x"}), Overloaded),
    (b'data: {"error":{"code":"invalid_api_key","message":"x"}}\n\n', KeyRefused),
    (b'{"error":{"message":"x","type":"invalid_request_error","code":400}}\n\n', Rejected),
    (b"data: [DONE]\n\n", BadAnswer),
    (b"data: nonsense\n\n", BadAnswer),
    (b'data: {"type":"response.output_text.delta","delta":"\xff"}\n\n', BadAnswer),
]


@pytest.mark.parametrize(("data", "kind"), BAD)
def test_t34_an_error_in_a_stream_is_taken_out_and_named(data: bytes, kind: type[UpstreamError]) -> None:
    good = event(type="response.output_text.delta", delta="Hi")
    out, watcher = watched(good + data + good)
    assert out == good
    assert type(watcher.error) is kind
    assert not watcher.finished


def test_content_has_started_with_the_first_thing_that_the_model_says() -> None:
    watcher = DIALECT.watch(drop_usage=False)
    watcher.feed(event(type="response.created", response={"status": "in_progress", "output": []}))
    watcher.feed(event(type="response.output_item.added", item={"type": "message", "content": []}))
    watcher.feed(event(type="response.output_text.delta", delta=""))
    assert not watcher.content_started
    watcher.feed(event(type="response.output_text.delta", delta="H"))
    assert watcher.content_started


def test_an_unknown_event_and_a_comment_go_on() -> None:
    data = b": ping\n\n" + event(type="response.of_tomorrow", delta={"a": 1})
    assert watched(data)[0] == data


@every(ANSWERS)
def test_a_whole_answer_is_read_and_can_be_told_as_a_stream(recorded: Interaction) -> None:
    answer = DIALECT.read_answer(recorded.body)
    assert answer.body == recorded.body
    assert (answer.usage is None) == (not (recorded.answer.get("usage") or {}).get("total_tokens"))
    if recorded.answer["status"] not in ("completed", "incomplete"):
        return
    stream = DIALECT.stream_of(answer, include_usage=True)
    out, watcher = watched(stream)
    assert (out, watcher.error) == (stream, None)
    assert json.loads(DIALECT.answer_of(stream).body) == recorded.answer
    assert watcher.usage == answer.usage


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", BadAnswer),
        (b"[]", BadAnswer),
        (b'{"output":[],"temperature":NaN}', BadAnswer),
        (b'{"output":[{"type":"message"}],"model":"\xff"}', BadAnswer),
        (b'{"status":"failed","error":null,"output":[]}', Failed),
        (b'{"error":{"code":"rate_limit_exceeded","message":"x"}}', Throttled),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind):
        DIALECT.read_answer(body)


@every(ERRORS)
def test_a_providers_error_is_read(recorded: Interaction) -> None:
    error = DIALECT.read_error(recorded.status, recorded.headers, recorded.body)
    assert error.provider_status == recorded.status
    assert json.loads(DIALECT.error_body(error, "r"))["error"]


REQUEST = b'{ "model":"a", "input":[{"role":"user","content":"Hi"}], "temperature":1.0, "new":{"b":1,"a":2} }'


def test_the_callers_bytes_go_on_with_the_model_alone_replaced() -> None:
    head = DIALECT.read_request(REQUEST)
    assert head.body_for(model="a", ask_usage=True) == REQUEST
    assert head.body_for(model="b", ask_usage=True) == REQUEST.replace(b'"a", "input', b'"b", "input')
    assert (head.stream, head.include_usage, head.max_output_tokens) == (False, True, None)


@every(interactions(endpoint="responses", ok=True))
def test_every_recorded_request_is_accepted_and_measured(recorded: Interaction) -> None:
    asked = {"model": "m"} | recorded.request
    head = DIALECT.read_request(json.dumps(asked).encode())
    assert head.stream == bool(asked.get("stream"))
    assert head.estimated_input_tokens() > 0
    assert head.max_output_tokens == asked.get("max_output_tokens")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"input":"x"}', "model"),
        (b'{"model":" ","input":"x"}', "model"),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","input":[]}', "input"),
        (b'{"model":"m","input":3}', "input"),
        (b'{"model":"m","input":[3]}', "input[0]"),
        (b'{"model":"m","input":"x","stream":"yes"}', "stream"),
        (b'{"model":"m","input":"x","tools":{}}', "tools"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_request(body)
    assert caught.value.param == param


def test_what_the_api_has_kept_may_stand_for_the_input() -> None:
    for name in ("previous_response_id", "conversation", "prompt"):
        assert DIALECT.read_request(f'{{"model":"m","{name}":"x"}}'.encode()).model == "m"


def test_a_routes_edits() -> None:
    head = DIALECT.read_request(REQUEST, Envelope(headers={"openai-beta": "x", "cookie": "y"}))
    edited = head.edited(default={"temperature": 2, "top_p": 1}, set_={"user": "u"}, drop=("new",), system="Be kind.")
    assert json.loads(edited.body_for(model="a", ask_usage=False)) == {
        "model": "a",
        "input": [{"role": "user", "content": "Hi"}],
        "temperature": 1.0,
        "top_p": 1,
        "user": "u",
        "instructions": "Be kind.",
    }
    assert edited.forwarded == {"openai-beta": "x"}
    again = edited.edited(default={}, set_={}, drop=(), system="Be brief.")
    assert json.loads(again.body_for(model="a", ask_usage=False))["instructions"] == "Be brief.\n\nBe kind."
    assert head.edited(default={}, set_={}, drop=(), system=None) is head


def test_an_error_is_told_in_the_shape_of_the_api() -> None:
    error = Rejected("Too long", status=400, code="context_length_exceeded", param="messages")
    error.condition = "context_length"
    told = {"message": "Too long", "type": "invalid_request_error", "param": "input", "code": "context_length_exceeded"}
    assert json.loads(DIALECT.error_body(error, "r")) == {"error": told, "request_id": "r"}
    name, data = DIALECT.error_event(error, "r").decode().rstrip().split("\n")
    body = json.loads(data.removeprefix("data: "))
    assert name == "event: error"
    assert (body["type"], body["code"], body["message"], body["param"]) == (
        "error",
        "context_length_exceeded",
        "Too long",
        "input",
    )
    assert body["error"] == told
    error.body = b'{"error":{}}'
    assert DIALECT.error_body(error, "r") == b'{"error":{}}'
