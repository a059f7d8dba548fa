"""The short ways of requests and answers that only say texts read and write what the long ones do."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.events import CanonicalAnswer, Choice, Finish, Reason
from gaiarouter.canonical.parts import AnswerPart, Citation, Refusal, Sealed, Text
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat.decode import read_any
from gaiarouter.dialects.chat.encode import write_any
from gaiarouter.dialects.chat.plain_answer import write_plain
from gaiarouter.dialects.chat.plain_request import read_plain
from gaiarouter.dialects.chat.view import REASONS, AnswerView
from gaiarouter.errors import InvalidRequest
from tests.recorded import chat_interactions

CACHE = {"cache_control": {"type": "ephemeral"}}


def check_request(body: bytes) -> bool:
    """Whether the short way reads it; then as the long one does, down to the order in which losses are told."""
    found = read_plain(body)
    if found is None:
        return False
    expected = read_any(body)
    assert found == expected
    assert list(found.paths.items()) == list(expected.paths.items())
    return True


def test_recorded_requests_are_read_the_short_way_as_the_long_one() -> None:
    bodies = [json.dumps(each.request).encode() for each in chat_interactions() if isinstance(each.request, dict)]
    assert sum(map(check_request, bodies)) > 100


PIECES = st.sampled_from(
    [
        *({"type": "text", "text": text} for text in ("Hi", "", "there")),
        *("bare", {"type": "input_text", "text": "Hi"}, {"type": "text", "text": None}, {"type": "text"}),
        *({"type": "text", "text": "Hi"} | CACHE, {"type": "refusal", "refusal": "No"}),
    ]
)
MESSAGES = st.builds(
    lambda message, more: message | more,
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "x", None]),
            "content": st.text(max_size=3) | st.none() | st.lists(PIECES, max_size=3),
        }
    ),
    st.sampled_from([{}, {}, {}, {"name": "n"}, {"refusal": None}, CACHE]),
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGES, max_size=4)},
    optional={
        "temperature": st.sampled_from([None, 0, 0.5, "x"]),
        "top_p": st.sampled_from([None, 1]),
        "max_tokens": st.sampled_from([None, 0, 7]),
        "max_completion_tokens": st.sampled_from([None, 0, 8]),
        "stream": st.sampled_from([None, True, False]),
        "stream_options": st.sampled_from([None, {}, {"include_usage": True}, {"include_usage": None}, {"x": 1}]),
        "unheard_of": st.none() | st.just(1),
    },
)


@given(REQUESTS)
def test_a_request_is_read_the_short_way_as_the_long_one(body: dict[str, Any]) -> None:
    check_request(json.dumps(body).encode())


@given(
    st.lists(st.sampled_from(["system", "developer", "user", "assistant"]), max_size=5),
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([None, 0, 0.5]),
            "top_p": st.sampled_from([None, 1]),
            "max_tokens": st.sampled_from([None, 7]),
            "max_completion_tokens": st.sampled_from([None, 8]),
            "stream": st.sampled_from([None, True, False]),
            "stream_options": st.sampled_from([None, {}, {"include_usage": True}]),
        },
    ),
)
def test_texts_of_any_roles_are_read_the_short_way(roles: list[str], members: dict[str, Any]) -> None:
    messages = [{"role": role, "content": role.upper()} for role in roles]
    pieces = [{"role": role, "content": [{"type": "text", "text": text} for text in role]} for role in roles]
    assert check_request(json.dumps({"model": "m", "messages": messages} | members).encode())
    assert check_request(json.dumps({"model": "m", "messages": pieces} | members).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":1}', b'{"model":"m","messages":' + b"[" * 100_000])
def test_what_is_no_request_is_left_to_the_long_way(body: bytes) -> None:
    assert read_plain(body) is None
    with pytest.raises(InvalidRequest):
        read_any(body)


CITATION = Citation(kind="url", dialect="messages", raw=msgspec.Raw(b"{}"), url="https://example.com")
PARTS: st.SearchStrategy[AnswerPart] = st.one_of(
    st.builds(Text, text=st.text(max_size=5)),
    st.builds(Text, text=st.text(max_size=5)),
    st.builds(
        Text,
        text=st.just("Hi"),
        citations=st.sampled_from([(), (CITATION,)]),
        logprobs=st.sampled_from([(), (msgspec.Raw(b"[]"),)]),
        sealed=st.sampled_from([None, Sealed("encrypted", "google-gemini-v1", "c2VhbA==")]),
    ),
    st.builds(Refusal, text=st.text(max_size=3)),
)
COUNTS = st.integers(0, 99)
USAGES = st.none() | st.builds(
    Usage,
    in_uncached=COUNTS,
    in_cache_read=COUNTS,
    in_cache_write=COUNTS,
    in_tool=COUNTS,
    out_visible=COUNTS,
    out_reasoning=COUNTS,
)
FINISHES = st.builds(
    Finish,
    reason=st.sampled_from(list(REASONS)),
    native=st.none() | st.just("x"),
    explanation=st.none() | st.just("No"),
)
CHOICES = st.builds(Choice, COUNTS, st.lists(PARTS, max_size=2).map(tuple), FINISHES)
ANSWERS = st.builds(
    CanonicalAnswer,
    id=st.sampled_from(["", "msg_1", "chatcmpl-1", "r1"]),
    model=st.sampled_from(["", "m"]),
    choices=st.lists(CHOICES, min_size=1, max_size=2).map(tuple),
    created=st.none() | COUNTS,
    usage=USAGES,
)
VIEWS = st.builds(
    AnswerView,
    fallback_id=st.just("chatcmpl-x"),
    created=COUNTS,
    model=st.none() | st.just("shown"),
    shows_reasoning=st.booleans(),
    calls_functions=st.booleans(),
)


@given(ANSWERS, VIEWS)
def test_an_answer_is_written_the_short_way_as_the_long_one(answer: CanonicalAnswer, view: AnswerView) -> None:
    body = write_plain(answer, view)
    assert body is None or body == write_any(answer, view)


@pytest.mark.parametrize("reason", ["stop", "stop_sequence", "length", "context_length", "error", "other"])
@given(text=st.text(max_size=5), usage=USAGES, view=VIEWS)
def test_one_text_is_written_the_short_way(reason: Reason, text: str, usage: Usage | None, view: AnswerView) -> None:
    choice = Choice(0, (Text(text=text),), Finish(reason=reason))
    answer = CanonicalAnswer(id="msg_1", model="m", choices=(choice,), usage=usage)
    assert write_plain(answer, view) == write_any(answer, view)
