"""A whole answer in Chat's form."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec import Struct, field

from gaiarouter.canonical.events import CanonicalAnswer, Choice
from gaiarouter.canonical.parts import AnswerPart, Audio, Image, Opaque, Reasoning, Refusal, Text, ToolCall
from gaiarouter.dialects.chat import view as words
from gaiarouter.dialects.chat.details import REASONING_GAP, Places, sealed_detail, summary_detail, text_detail
from gaiarouter.dialects.chat.plain_answer import write_plain
from gaiarouter.dialects.chat.usage import write_usage
from gaiarouter.dialects.chat.view import AnswerView


def encode_answer(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    return write_plain(answer, view) or write_any(answer, view)


def write_any(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    body: dict[str, Any] = {
        "id": view.id_of(answer.id),
        "object": "chat.completion",
        "created": view.created if answer.created is None else answer.created,
        "model": view.model or answer.model,
        "choices": [_choice(choice, view) for choice in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    body["system_fingerprint"] = None
    return msgspec.json.encode(body)


def _choice(choice: Choice, view: AnswerView) -> dict[str, Any]:
    message = _Message(view)
    for part in choice.parts:
        message.add(part)
    spoke_refusal = bool(message.refusals)
    return {
        "index": choice.index,
        "message": message.body(words.refusal_text(choice.finish, spoke_refusal=spoke_refusal)),
        "logprobs": {"content": message.logprobs} if message.logprobs else None,
        "finish_reason": words.finish_word(choice.finish, spoke_refusal=spoke_refusal, view=view),
        **words.ending(choice.finish),
    }


class _Message(Struct):
    """The message of one choice, part by part."""

    view: AnswerView
    texts: list[str] = []
    length: int = 0
    calls: list[ToolCall] = []
    thoughts: list[str] = []
    details: list[dict[str, Any]] = []
    places: Places = field(default_factory=Places)
    annotations: list[dict[str, Any]] = []
    beside: dict[str, list[Any]] = {}
    refusals: list[str] = []
    logprobs: list[Any] = []

    def add(self, part: AnswerPart) -> None:
        match part:
            case Text():
                self._text(part)
            case Refusal(text=text):
                self.refusals.append(text)
            case Reasoning():
                self._reasoning(part)
            case ToolCall():
                self._call(part)
            case Image():
                self.beside.setdefault("images", []).append(words.picture(part))
            case Audio(transcript=transcript):
                self.texts.append(transcript or "")
            case Opaque(dialect=dialect, raw=raw):
                self.beside.setdefault("provider_blocks", []).append({"dialect": dialect, "block": raw})
            case _:
                assert_never(part)

    def body(self, refusal: str | None) -> dict[str, Any]:
        view = self.view
        content: str | None = "".join(self.texts)
        if not self.texts:
            content = None if self.calls or self.refusals or refusal else ""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "refusal": "".join(self.refusals) or refusal,
            "annotations": self.annotations,
        }
        if self.calls and view.calls_functions:
            message["function_call"] = words.called(self.calls[0])["function"]
        elif self.calls:
            message["tool_calls"] = [words.called(call) for call in self.calls]
        if view.shows_reasoning and (self.thoughts or self.details):
            thoughts = REASONING_GAP.join(text for text in self.thoughts if text)
            if thoughts:
                message |= {"reasoning_content": thoughts, "reasoning": thoughts}
            message["reasoning_details"] = self.details
        return message | self.beside if self.beside else message

    def _text(self, part: Text) -> None:
        if part.text:
            self.places.text()
        start, self.length = self.length, self.length + len(part.text)
        self.texts.append(part.text)
        for citation in part.citations:
            if citation.kind == "url":
                self.annotations.append(words.url_annotation(citation, start, self.length))
            else:
                self.beside.setdefault("citations", []).append(words.other_citation(citation))
        for raw in part.logprobs:
            self.logprobs += msgspec.json.decode(raw)
        if part.sealed:
            index, position = self.places.reasoning()
            self.details.append(sealed_detail(part.sealed, index=index, position=position))

    def _call(self, call: ToolCall) -> None:
        if not words.is_callers(call):
            return
        self.calls.append(call)
        self.places.call()
        if call.sealed:
            index, position = self.places.reasoning()
            self.details.append(sealed_detail(call.sealed, index=index, position=position, id_=call.call_id))

    def _reasoning(self, part: Reasoning) -> None:
        index, position = self.places.reasoning()
        self.thoughts += [*part.visible, *part.summary]
        written: list[dict[str, Any]] = []
        if part.visible:
            text = "".join(part.visible)
            detail = text_detail(text, index=index, format_=part.format, position=position)
            written.append(detail | {"id": part.id})
        if part.summary:
            text = REASONING_GAP.join(part.summary)
            written.append(summary_detail(text, index=index, format_=part.format, position=position))
        for sealed in part.sealed:
            if sealed.kind == "signature" and written:
                written[0]["signature"] = sealed.data
            else:
                written.append(sealed_detail(sealed, index=index, position=position))
        self.details += written
