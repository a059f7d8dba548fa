"""A whole answer in the form of Messages."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from gaiarouter.canonical.events import CanonicalAnswer, Choice
from gaiarouter.canonical.parts import AnswerPart, Audio, Image, Opaque, Reasoning, Refusal, Text, ToolCall
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.messages import view as words
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.usage import write_usage
from gaiarouter.dialects.messages.view import AnswerView
from gaiarouter.errors import BadAnswer


def encode_answer(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    """Raises BadAnswer for a call whose arguments are no object, though no limit cut them short."""
    choice = answer.choices[0]
    asides = {aside.name: aside.raw for aside in answer.asides if aside.dialect == DIALECT}
    body: dict[str, Any] = {
        "id": view.id_of(answer.id),
        "type": "message",
        "role": "assistant",
        "model": view.model or answer.model,
        "content": _Content(view, cut_short=choice.finish.reason in ("length", "context_length")).write(choice),
        **words.ending(choice.finish),
        "usage": write_usage(answer.usage or Usage()),
        **asides,
    }
    return msgspec.json.encode(body)


class _Content:
    """cut_short: the last call may lack the end of its arguments."""

    def __init__(self, view: AnswerView, *, cut_short: bool) -> None:
        self._view = view
        self._cut_short = cut_short
        self._ids = words.CallIds()

    def write(self, choice: Choice) -> list[dict[str, Any]]:
        return [block for part in choice.parts for block in self._blocks(part)]

    def _blocks(self, part: AnswerPart) -> list[dict[str, Any]]:
        match part:
            case Text(text=text):
                block = [words.text_block(text, part.citations)] if text else []
                return block + self._seal(part)
            case Refusal(text=text) | Audio(transcript=str(text)):
                return [words.text_block(text)] if text else []
            case Reasoning():
                return [words.thinking_block(part)] if self._view.shows_thinking else []
            case ToolCall():
                return self._call(part) if words.is_callers(part) else []
            case Opaque(dialect=dialect, raw=raw) if dialect == DIALECT:
                return [msgspec.json.decode(raw, type=dict[str, msgspec.Raw])]
            case Opaque() | Image() | Audio():
                return []  # an answer of this format holds neither
            case _:
                assert_never(part)

    def _call(self, call: ToolCall) -> list[dict[str, Any]]:
        input_ = words.input_of(call)
        if input_ is None and self._cut_short:
            return []
        if input_ is None:
            raise BadAnswer("The model called a tool with arguments that are no JSON object")
        call_id = self._ids.of(call)
        return [*self._seal(call, call_id), words.tool_use(call, call_id=call_id, input_=input_)]

    def _seal(self, part: Text | ToolCall, call_id: str | None = None) -> list[dict[str, Any]]:
        if part.sealed is None or not self._view.shows_thinking:
            return []
        return [words.seal_block(part.sealed, call_id=call_id)]
