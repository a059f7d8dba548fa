"""A whole answer in Chat's form."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from gaiarouter.canonical.events import CanonicalAnswer, Choice
from gaiarouter.canonical.parts import AnswerPart, Audio, Image, Opaque, Reasoning, Refusal, Text, ToolCall
from gaiarouter.dialects.chat import view as words
from gaiarouter.dialects.chat.details import REASONING_GAP, Places, sealed_detail, summary_detail, text_detail
from gaiarouter.dialects.chat.usage import write_usage
from gaiarouter.dialects.chat.view import AnswerView


def encode_answer(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    body: dict[str, Any] = {
        "id": view.id_of(answer.id),
        "object": "chat.completion",
        "created": view.created if answer.created is None else answer.created,
        "model": view.model or answer.model,
        "choices": [_choice(choice, view) for choice in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return msgspec.json.encode(body | {"system_fingerprint": None})


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


class _Message:
    """The message of one choice, part by part."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._texts: list[str] = []
        self._length = 0
        self._calls: list[ToolCall] = []
        self._thoughts: list[str] = []
        self._details: list[dict[str, Any]] = []
        self._places = Places()
        self._annotations: list[dict[str, Any]] = []
        self._beside: dict[str, list[Any]] = {}
        self.refusals: list[str] = []
        self.logprobs: list[Any] = []

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
                self._beside.setdefault("images", []).append(words.picture(part))
            case Audio(transcript=transcript):
                self._texts.append(transcript or "")
            case Opaque(dialect=dialect, raw=raw):
                self._beside.setdefault("provider_blocks", []).append({"dialect": dialect, "block": raw})
            case _:
                assert_never(part)

    def body(self, refusal: str | None) -> dict[str, Any]:
        view = self._view
        content: str | None = "".join(self._texts)
        if not self._texts:
            content = None if self._calls or self.refusals or refusal else ""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "refusal": "".join(self.refusals) or refusal,
            "annotations": self._annotations,
        }
        if self._calls and view.calls_functions:
            message["function_call"] = words.called(self._calls[0])["function"]
        elif self._calls:
            message["tool_calls"] = [words.called(call) for call in self._calls]
        if view.shows_reasoning and (self._thoughts or self._details):
            thoughts = REASONING_GAP.join(text for text in self._thoughts if text)
            if thoughts:
                message |= {"reasoning_content": thoughts, "reasoning": thoughts}
            message["reasoning_details"] = self._details
        return message | self._beside

    def _text(self, part: Text) -> None:
        if part.text:
            self._places.text()
        start, self._length = self._length, self._length + len(part.text)
        self._texts.append(part.text)
        for citation in part.citations:
            if citation.kind == "url":
                self._annotations.append(words.url_annotation(citation, start, self._length))
            else:
                self._beside.setdefault("citations", []).append(words.other_citation(citation))
        for raw in part.logprobs:
            self.logprobs += msgspec.json.decode(raw)
        if part.sealed:
            index, position = self._places.reasoning()
            self._details.append(sealed_detail(part.sealed, index=index, position=position))

    def _call(self, call: ToolCall) -> None:
        if not words.is_callers(call):
            return
        self._calls.append(call)
        self._places.call()
        if call.sealed:
            index, position = self._places.reasoning()
            self._details.append(sealed_detail(call.sealed, index=index, position=position, id_=call.call_id))

    def _reasoning(self, part: Reasoning) -> None:
        index, position = self._places.reasoning()
        self._thoughts += [*part.visible, *part.summary]
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
        self._details += written
