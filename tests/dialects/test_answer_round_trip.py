"""Random answers, written in each format and read again, say what they said: whole, and as a stream cut anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.canonical.events import CanonicalAnswer, Choice, Finish, Reason
from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.canonical.parts import AnswerPart, Reasoning, Sealed, Text, ToolCall
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.chat.plan import AnswerPlan as ChatPlan
from gaiarouter.dialects.chat.target_chunks import StreamDecoder as ChatDecoder
from gaiarouter.dialects.chat.target_response import decode_answer as read_chat
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.gemini.chunks import StreamDecoder as GeminiDecoder
from gaiarouter.dialects.gemini.plan import AnswerPlan as GeminiPlan
from gaiarouter.dialects.gemini.response import decode_answer as read_gemini
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.messages.chunks import StreamDecoder as MessagesDecoder
from gaiarouter.dialects.messages.plan import AnswerPlan as MessagesPlan
from gaiarouter.dialects.messages.response import decode_answer as read_messages
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.dialects.responses.plan import AnswerPlan as ResponsesPlan
from gaiarouter.dialects.responses.target_chunks import StreamDecoder as ResponsesDecoder
from gaiarouter.dialects.responses.target_response import decode_answer as read_responses
from gaiarouter.dialects.translate import AnswerWriter, StreamDecoder
from tests.dialects.conversations import ARGUMENTS, TEXTS


@dataclass(frozen=True)
class Format:
    """own: whose thinking it carries as it is. reasons: those that it has words for. counts: whether it can tell what
    was written to a cache."""

    writer: AnswerWriter
    read: Callable[[bytes], CanonicalAnswer]
    decoder: Callable[[], StreamDecoder]
    own: str
    reasons: tuple[Reason, ...]
    counts_writes: bool = True


def writer(caller: Any, body: dict[str, Any]) -> AnswerWriter:
    request = caller.decode_request(json.dumps(body).encode(), Envelope(model="m", stream=True))
    made: AnswerWriter = caller.writer(request, answer_id="x", created=7, input_tokens=1)
    return made


USER = {"role": "user", "content": "Hi"}
FORMATS = {
    "chat": Format(
        writer(
            ChatCaller(), {"model": "m", "messages": [USER], "stream": True, "stream_options": {"include_usage": True}}
        ),
        lambda body: read_chat(body, ChatPlan()),
        lambda: ChatDecoder(ChatPlan()),
        "anthropic-claude-v1",
        ("stop", "length", "content_filter"),
    ),
    "messages": Format(
        writer(
            MessagesCaller(),
            {"model": "m", "max_tokens": 9999, "messages": [USER], "thinking": {"type": "adaptive"}},
        ),
        lambda body: read_messages(body, MessagesPlan()),
        lambda: MessagesDecoder(MessagesPlan()),
        "anthropic-claude-v1",
        ("stop", "length", "refusal", "pause", "context_length"),
    ),
    "gemini": Format(
        writer(
            GeminiCaller(),
            {
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
            },
        ),
        lambda body: read_gemini(body, GeminiPlan(declared=frozenset({"f", "g"}))),
        lambda: GeminiDecoder(GeminiPlan(declared=frozenset({"f", "g"}))),
        "google-gemini-v1",
        ("stop", "length", "content_filter"),
        counts_writes=False,
    ),
    "responses": Format(
        writer(ResponsesCaller(), {"model": "m", "input": [USER]}),
        lambda body: read_responses(body, ResponsesPlan()),
        lambda: ResponsesDecoder(ResponsesPlan()),
        "openai-responses-v1",
        ("stop", "length", "content_filter"),
    ),
}


@st.composite
def answers(draw: st.DrawFn, format_: Format) -> CanonicalAnswer:
    parts: list[AnswerPart] = []
    if draw(st.booleans()):
        kind: Any = "encrypted" if format_.own.startswith("openai") else "signature"
        sealed = (Sealed(kind, format_.own, "c2VhbA=="),)
        parts.append(Reasoning(visible=(draw(TEXTS),), sealed=sealed, format=format_.own))
    if draw(st.booleans()):
        parts.append(Text(text=draw(TEXTS)))
    for number in range(draw(st.integers(0 if parts else 1, 3))):
        name = draw(st.sampled_from(["f", "g"]))
        parts.append(ToolCall(call_id=f"call_{number}", name=name, arguments=draw(ARGUMENTS)))
    if isinstance(parts[-1], Reasoning):
        parts.append(Text(text="So"))
    calls = any(isinstance(part, ToolCall) for part in parts)
    reason: Reason = draw(st.sampled_from([each for each in format_.reasons if not (calls and each == "stop")]))
    usage = Usage(
        in_uncached=draw(st.integers(1, 999)),
        in_cache_read=draw(st.integers(0, 99)),
        in_cache_write=draw(st.integers(0, 99)) if format_.counts_writes else 0,
        out_visible=draw(st.integers(1, 999)),
        out_reasoning=draw(st.integers(0, 99)),
    )
    if calls and draw(st.booleans()):
        reason = "tool_calls"
    return CanonicalAnswer(
        id="a_1", model="m-1", choices=(Choice(0, tuple(parts), Finish(reason=reason)),), usage=usage
    )


def told(answer: CanonicalAnswer) -> dict[str, Any]:
    choice, usage = answer.choices[0], answer.usage
    thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
    return {
        "text": "".join(part.text for part in choice.parts if isinstance(part, Text)),
        "thinking": "".join("".join(part.visible + part.summary) for part in thoughts),
        "seals": [sealed.data for part in thoughts for sealed in part.sealed],
        "calls": [
            (part.call_id, part.name, json.loads(part.arguments)) for part in choice.parts if isinstance(part, ToolCall)
        ],
        "reason": choice.finish.reason,
        "usage": usage and (usage.in_uncached, usage.in_cache_read, usage.in_cache_write, usage.output_tokens),
        "model": answer.model,
    }


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_answer_says_the_same_after_it_was_written_and_read(name: str, data: st.DataObject) -> None:
    format_ = FORMATS[name]
    answer = data.draw(answers(format_))
    whole = format_.read(format_.writer.encode_answer(answer))
    assert told(whole) == told(answer)
    stream = format_.writer.stream_encoder().encode(unfold(answer))
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8))), len(stream)]
    decoder = format_.decoder()
    pieces = [stream[first:last] for first, last in itertools.pairwise(edges)]
    events = [event for piece in pieces for event in decoder.feed(piece)] + list(decoder.close())
    assert told(fold(events)) == told(answer)
