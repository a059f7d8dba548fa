from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat.chunks import DONE_EVENT, ChatStreamWatcher
from gaiarouter.errors import BadAnswer, Failed, Interrupted, KeyRefused, Overloaded, Rejected, Throttled


def event(**members: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk"} | members).encode() + b"\n\n"


def said(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    return event(choices=[{"index": index, "delta": delta, "finish_reason": finish}])


ROLE = said({"role": "assistant", "content": ""})
HELLO = said({"content": "Hello"})
STOP = said({}, "stop")
USAGE = event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})
GOOD = ROLE + HELLO + STOP


def watch(stream: bytes, *, drop_usage: bool = False) -> tuple[ChatStreamWatcher, bytes]:
    watcher = ChatStreamWatcher(drop_usage=drop_usage)
    return watcher, watcher.feed(stream) + watcher.close()


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": [{"type": "text", "text": "x"}]},
        {"refusal": "no"},
        {"reasoning": "hm"},
        {"reasoning_content": "hm"},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"function": {"name": "f", "arguments": {"an": "object"}}}]},
        {"function_call": {"name": "f"}},
        {"function_call": {"arguments": "{"}},
        {"audio": {"id": "a", "data": "UklGR"}},
        {"images": [{"type": "image_url", "image_url": {"url": "data:"}}]},
    ],
    ids=str,
)
def test_content_of_any_kind_starts_the_answer(delta: dict[str, Any]) -> None:
    watcher, _ = watch(ROLE + said(delta))
    assert watcher.content_started


@pytest.mark.parametrize(
    "stream",
    [
        b": ping\n\n",
        ROLE,
        said({}),
        said({"content": None, "tool_calls": None, "audio": None, "reasoning_details": []}),
        said({"content": "", "function_call": {"name": "", "arguments": ""}, "audio": {"id": "", "expires_at": 0}}),
        event(choices=[], prompt_filter_results=[{"prompt_index": 0}], id="", model=""),
        event(choices=[{"index": 0, "content_filter_results": {}}]),
        event(choices=[{"index": 0, "delta": None}]),
        event(choices=None),
        event(),
        USAGE,
        STOP,
    ],
)
def test_what_nobody_sees_does_not_start_it(stream: bytes) -> None:
    watcher, out = watch(stream)
    assert not watcher.content_started
    assert out.startswith(stream)


@pytest.mark.parametrize(
    "data", ["", " ", ": keepalive", " : keepalive"], ids=["nothing", "a blank", "a comment", "an indented comment"]
)
def test_empty_data_is_left_out(data: str) -> None:
    """Official clients take it for broken JSON."""
    watcher, out = watch(HELLO + f"data:{data}\n\n".encode() + STOP + DONE_EVENT)
    assert (out, watcher.error) == (HELLO + STOP + DONE_EVENT, None)


@pytest.mark.parametrize(
    "after", [DONE_EVENT, HELLO, b"data: {broken\n\n", b": ping\n\n", event(error={"message": "x"})], ids=repr
)
def test_nothing_follows_the_end(after: bytes) -> None:
    watcher, out = watch(GOOD + DONE_EVENT + after)
    assert (out, watcher.finished, watcher.error) == (GOOD + DONE_EVENT, True, None)
    assert watcher.feed(HELLO) == b""


def test_a_forgotten_done_is_added_once_every_choice_has_finished() -> None:
    watcher, out = watch(GOOD + USAGE)
    assert (out, watcher.finished) == (GOOD + USAGE + DONE_EVENT, True)


def test_done_without_its_blank_line_is_still_the_end() -> None:
    watcher, out = watch(GOOD + b"data: [DONE]")
    assert (out, watcher.finished) == (GOOD + DONE_EVENT, True)


def test_done_without_a_finish_reason_is_the_end_if_anything_was_said() -> None:
    watcher, out = watch(HELLO + DONE_EVENT)
    assert (out, watcher.finished, watcher.finish_reason) == (HELLO + DONE_EVENT, True, None)


@pytest.mark.parametrize("stream", [DONE_EVENT, ROLE + DONE_EVENT], ids=["nothing", "a role"])
def test_done_after_nothing_is_no_answer(stream: bytes) -> None:
    watcher, _ = watch(stream)
    assert isinstance(watcher.error, BadAnswer)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b": ping\n\n",
        ROLE,
        ROLE + HELLO,
        HELLO + said({"content": "Hi"}, index=1) + said({}, "stop", 1),
        HELLO + b'data: {"choices": [{"index": 0, "fini',
        HELLO + STOP[:20],
        HELLO + b"data: [DO",
    ],
)
def test_an_end_that_is_not_the_dialects_own_is_an_interruption(stream: bytes) -> None:
    watcher, out = watch(stream)
    assert isinstance(watcher.error, Interrupted)
    assert not watcher.finished
    assert stream.startswith(out)


def test_a_last_event_without_its_blank_line_counts_if_it_is_whole() -> None:
    watcher, out = watch(HELLO + STOP.rstrip())
    assert (out, watcher.finished) == (HELLO + STOP + DONE_EVENT, True)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (event(error={"message": "Overloaded", "type": "overloaded_error"}), Overloaded),
        (event(error={"message": "x", "code": 429}), Throttled),
        (event(error={"message": "x", "code": "503"}), Overloaded),
        (event(error={"message": "x", "code": 400}, choices=[{"index": 0, "delta": {}}]), Rejected),
        (event(error={"message": "x", "code": "invalid_api_key"}), KeyRefused),
        (event(error={"message": "something"}), Failed),
        (event(error="something"), Failed),
        (b'event: error\ndata: {"message": "x"}\n\n', Failed),
        (b'event: error\ndata: {"error": {"message": "x", "status_code": 429}}\n\n', Throttled),
        (event(choices=[{"index": 0, "error": {"code": 502, "message": "x"}}]), Failed),
        (said({"content": "half"}, "error"), Failed),
        (b'{"error": {"message": "x", "code": 503}}\n\n', Overloaded),
        (b'{\n "error": {\n "message": "x", "code": 503\n}}\n\n', Overloaded),
        (b'{"choices": []}\n\n', BadAnswer),
        (b"data: {broken\n\n", BadAnswer),
        (b"data: {} {}\n\n", BadAnswer),
        (b"data: <html>\n\n", BadAnswer),
        (b"data: [1]\n\n", BadAnswer),
        (b'data: {"choices": "x"}\n\n', BadAnswer),
        (b'data: {"choices": [], "x": NaN}\n\n', BadAnswer),
        (b'data: {"choices": [], "x": "\xff"}\n\n', BadAnswer),
        (b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\n', BadAnswer),
        (b'data: {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n", BadAnswer),
    ],
    ids=lambda value: repr(value)[:60],
)
@pytest.mark.parametrize("before", [b"", HELLO, HELLO + STOP], ids=["first", "after content", "after the finish"])
def test_a_fault_lets_pass_what_was_good_before_it_and_nothing_after(bad: bytes, error: type, before: bytes) -> None:
    watcher, out = watch(before + bad + HELLO + DONE_EVENT)
    assert (out, type(watcher.error), watcher.finished) == (before, error, False)
    assert watcher.feed(HELLO) == watcher.close() == b""


@pytest.mark.parametrize("nothing", [None, "", {}, False, 0], ids=repr)
def test_an_error_member_that_says_nothing_is_no_error(nothing: object) -> None:
    stream = event(choices=[{"index": 0, "delta": {"content": "x"}, "error": nothing}], error=nothing)
    _, out = watch(stream)
    assert out == stream


def test_a_bare_error_need_not_end_like_an_event() -> None:
    watcher, out = watch(b'{\n "error": {\n "message": "x", "code": 503\n}}\n')
    assert (out, type(watcher.error)) == (b"", Overloaded)


def test_an_event_beyond_all_measure_is_refused_before_it_has_come_whole() -> None:
    watcher = ChatStreamWatcher(drop_usage=False, max_event_bytes=10_000)
    out = watcher.feed(HELLO + b'data: {"x": "' + b"x" * 20_000)
    assert out == HELLO
    assert isinstance(watcher.error, BadAnswer)
    assert watcher.error.code == "upstream_response_too_large"


def test_an_event_of_five_megabytes_passes() -> None:
    large = said({"content": "x" * 5_000_000})
    watcher = ChatStreamWatcher(drop_usage=False)
    out = b"".join(watcher.feed(large[start : start + 65_536]) for start in range(0, len(large), 65_536))
    assert (out, watcher.error, watcher.text_tokens) == (large, None, 1_250_000)


@pytest.mark.parametrize(
    "stream",
    [
        b"id: 7\nretry: 100\n" + HELLO,
        HELLO.replace(b"\n", b"\r"),
        b"event: message\n" + HELLO,
        HELLO.replace(b'"choices"', b'\ndata: "choices"'),
    ],
    ids=["id and retry", "CR", "a name", "two lines of data"],
)
def test_what_official_clients_stumble_over_is_written_anew(stream: bytes) -> None:
    _, out = watch(stream + STOP + DONE_EVENT)
    first, *rest = out.split(b"\n\n")
    assert json.loads(first.removeprefix(b"data: ")) == json.loads(HELLO[6:])
    assert b"\n\n".join(rest) == STOP + DONE_EVENT


def test_data_without_a_space_goes_on_as_it_came() -> None:
    stream = GOOD.replace(b"data: ", b"data:") + b"data:[DONE]\n\n"
    watcher, out = watch(stream)
    assert (out, watcher.finished) == (stream, True)


def test_text_that_looks_like_a_stream_is_text() -> None:
    text = said({"content": "\n\ndata: [DONE]\n\n\u2028\u0085"})
    raw = text.replace(b"\\u2028", "\u2028".encode()).replace(b"\\u0085", "\u0085".encode())
    _, out = watch(raw + STOP + DONE_EVENT)
    assert out == raw + STOP + DONE_EVENT


@pytest.mark.parametrize(("drop", "kept"), [(True, b""), (False, USAGE)])
def test_the_usage_chunk_goes_on_only_if_the_caller_wished_it(drop: bool, kept: bytes) -> None:
    watcher, out = watch(GOOD + USAGE + DONE_EVENT, drop_usage=drop)
    assert out == GOOD + kept + DONE_EVENT
    assert watcher.usage == Usage(in_uncached=9, out_visible=2)


def test_usage_that_comes_with_a_choice_stays_where_it_is() -> None:
    finish = event(
        choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}],
        usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    )
    watcher, out = watch(HELLO + finish + DONE_EVENT, drop_usage=True)
    assert out == HELLO + finish + DONE_EVENT
    assert watcher.usage == Usage(in_uncached=9, out_visible=2)


def test_usage_on_every_chunk_is_replaced_not_added() -> None:
    stream = b"".join(
        event(
            choices=[{"index": 0, "delta": {"content": "x"}}],
            usage={"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count},
        )
        for count in (1, 2, 3)
    )
    watcher, _ = watch(stream)
    assert watcher.usage == Usage(in_uncached=9, out_visible=3)


def test_groqs_second_spelling_of_usage_is_not_counted_twice() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    alone, _ = watch(event(choices=[], x_groq={"id": "r", "usage": usage}))
    both, _ = watch(event(choices=[], usage=usage, x_groq={"usage": usage}) + event(choices=[], x_groq={"id": "r"}))
    assert alone.usage == both.usage == Usage(in_uncached=9, out_visible=2)


def test_usage_before_an_error_is_kept() -> None:
    bad = event(error={"message": "x", "code": 500}, usage={"prompt_tokens": 9, "completion_tokens": 2})
    watcher, _ = watch(HELLO + bad)
    assert watcher.usage == Usage(in_uncached=9, out_visible=2)


def test_the_finish_reason_is_the_first_choices() -> None:
    both = said({"content": "a"}) + said({"content": "b"}, index=1)
    watcher, _ = watch(both + said({}, "length", 1) + said({}, "stop") + DONE_EVENT)
    assert watcher.finish_reason == "stop"


def test_what_was_said_is_weighed_in_every_kind() -> None:
    watcher, _ = watch(
        said({"content": "x" * 40})
        + said({"reasoning_content": "x" * 40, "reasoning": "x" * 40})
        + said({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "x" * 40}]}]})
        + said({"tool_calls": [{"index": 0, "function": {"name": "x" * 20, "arguments": "x" * 18}}]})
        + said({"refusal": "x" * 40})
    )
    assert watcher.text_tokens == 50


def test_a_message_of_ours_holds_nothing_of_the_stream() -> None:
    watcher, _ = watch(b"data: {secret prompt\n\n")
    assert watcher.error is not None
    assert "secret" not in watcher.error.message
