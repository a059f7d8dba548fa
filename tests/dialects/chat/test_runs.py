"""Events that come together are noted in one go where they are text alone: nothing tells that they were."""

from __future__ import annotations

from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.chat import chunks
from gaiarouter.dialects.chat.chunks import ChatStreamWatcher
from gaiarouter.dialects.chat.runs import pieces_of
from tests.dialects.chat.test_chunks import event, said
from tests.dialects.chat.test_recorded_streams import STREAMS, Seen, watch
from tests.recorded import Interaction, every

TEXT = [
    said({"content": "Hello"}),
    said({"content": ""}),
    said({"content": "é 漢 \U0001f600"}),
    'data: {"choices":[{"index":0,"delta":{"content":"é 漢"}}]}\n\n'.encode(),
    said({"role": "assistant"}),
    said({"content": '},\t{"choices":[{"delta":{}}]}\n\ndata: {'}),
    said({"content": None, "reasoning_content": "hm"}),
    said({"content": "a", "reasoning_content": "b", "refusal": None, "tool_calls": None}),
    said({"role": "assistant", "content": "a"}, index=1),
    event(choices=[{"delta": {"content": "no index"}}], usage=None, error=None, anything=[{}, {"a": 1}]),
]
OTHER = [
    said({"content": "half a \ud800"}),
    said({"content": None, "reasoning": "hm"}),
    said({"content": [{"type": "text", "text": "in parts"}]}),
    said({"content": "a", "refusal": "no"}),
    said({"content": "a", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}),
    said({"content": "a", "audio": {"data": "x"}}),
    said({}, finish="stop"),
    event(choices=[{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]),
    event(choices=[{"index": None, "delta": {"content": "a"}}]),
    event(choices=[{"index": 0, "delta": None}]),
    event(choices=[{"index": 0, "text": "of completions"}]),
    event(choices=[{"index": 0, "delta": {"content": "a"}, "error": {"message": "x"}}]),
    event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
    event(choices=[{"delta": {"content": "a"}}], usage={"prompt_tokens": 3, "completion_tokens": 2}),
    event(choices=[{"delta": {"content": "a"}}], x_groq={"usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
    event(error={"message": "x"}),
    event(choices=[{"delta": {"content": "a"}}], error={}),
    b"data: [DONE]\n\n",
    b": a comment\n\n",
    b"\n\n",
    b"\n",
    b"data:\n\n",
    b'data:{"choices":[{"delta":{"content":"no space"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"of CRLF"}}]}\r\n\r\n',
    b'data: {"choices":[{"delta":{"content":"broken \xff"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"two"}}]},{"choices":[{"delta":{"content":"in one"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"a"}}],"x":[{}\n\n',
    b"data: {}]}\n\n",
    b'data: {"choices":[{"delta":{"content":"a"}}],"x":"{}\n\n',
    b'data: {}"}\n\n',
    b"event: ping\ndata: {}\n\n",
]


def one_by_one(events: list[bytes]) -> Seen:
    with patch.object(chunks, "pieces_of", lambda _: ()):
        return watch(events, drop_usage=True)


@given(
    events=st.lists(st.one_of(st.sampled_from(TEXT), st.sampled_from(TEXT), st.sampled_from(OTHER)), max_size=12),
    chance=st.randoms(use_true_random=False),
)
def test_together_they_say_what_they_say_one_by_one(events: list[bytes], chance: Random) -> None:
    stream = b"".join(events)
    cuts = sorted(chance.choices(range(len(stream) + 1), k=chance.choice([0, 1, 2, 5])))
    parts = [stream[first:last] for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert watch(parts, drop_usage=True) == one_by_one(parts)


@every(STREAMS)
def test_a_recording_read_at_once_says_what_it_says_event_by_event(each: Interaction) -> None:
    first, *_ = each.body.split(b"\n\n", 1)
    begin = len(first) + 2
    assert watch([each.body[:begin], each.body[begin:]], drop_usage=True) == one_by_one([each.body])


@pytest.mark.parametrize("text", TEXT)
def test_texts_are_a_run(text: bytes) -> None:
    assert len(pieces_of(text)) == 1
    assert len(pieces_of(text * 3)) == 3


@pytest.mark.parametrize("other", OTHER)
def test_what_is_no_text_alone_is_no_run(other: bytes) -> None:
    assert not pieces_of(TEXT[0] + other + TEXT[0])


def test_a_provider_that_says_only_text_is_read_so() -> None:
    """The first event is read by itself; the rest of a stream is one run for each read."""
    watcher, runs = ChatStreamWatcher(drop_usage=False), []
    with patch.object(chunks, "pieces_of", lambda events: runs.append(events) or pieces_of(events)):
        assert watcher.feed(TEXT[0]) == TEXT[0]
        assert watcher.feed(TEXT[0] * 5) == TEXT[0] * 5
    assert runs == [TEXT[0] * 5]
    assert watcher.text_tokens == 8
