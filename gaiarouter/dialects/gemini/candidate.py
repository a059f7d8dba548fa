"""One candidate of a Gemini answer: its parts, as they come."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import (
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    TextDelta,
    TextRun,
)
from gaiarouter.canonical.parts import AnswerPart, Audio, Base64, Image, Opaque, Reasoning, Sealed, Text, ToolCall
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.gemini.finish import finish_of
from gaiarouter.dialects.gemini.grounding import Texts, citations, logprobs
from gaiarouter.dialects.gemini.openapi import choice_text
from gaiarouter.dialects.gemini.parts import DIALECT, SIGNATURE_FORMAT
from gaiarouter.dialects.gemini.plan import AnswerPlan, Choices

_MINTED = "call_gm_"


class _Told(Struct):
    """A part, and what one response tells of it. texts: all of it so far. grows: the next response may add to it."""

    index: int
    kind: Literal["text", "thought", "other"]
    grows: bool
    texts: list[str] = []
    events: list[Event] = []


class CandidateReader:
    """choice: the candidate's index. first_call: the number of its first call without an id."""

    def __init__(self, plan: AnswerPlan, choice: int, *, first_call: int) -> None:
        self.choice = choice
        self._plan = plan
        self._next_call = first_call
        self._next_part = 0
        self._open: _Told | None = None
        self.text: int | None = None
        """The index of the text that may go on."""
        self._calls: set[str] = set()
        self._all_declared = True
        self._native: str | int | None = None
        self._message: str | None = None

    def read(self, candidate: wire.Candidate) -> list[Event]:
        """Raises msgspec.DecodeError."""
        if candidate.finish_reason is not None:
            self._native, self._message = candidate.finish_reason, candidate.finish_message
        told = [self._open] if self._open else []
        by_part: list[int | None] = []
        for position, raw in enumerate((candidate.content and candidate.content.parts) or ()):
            by_part.append(self._part(raw, told, may_continue=position == 0))
        if candidate.grounding_metadata or candidate.citation_metadata or candidate.logprobs_result:
            self._comment(candidate, told, by_part)
        return self._tell(told)

    def run(self, texts: list[str]) -> TextRun:
        """More of the text that may go on, of several responses."""
        assert self._open is not None
        self._open.texts += texts
        return TextRun(self._open.index, texts, self.choice)

    def open_parts(self) -> list[int]:
        return [self._open.index] if self._open else []

    @property
    def is_finished(self) -> bool:
        return self._native is not None

    def finish(self) -> Finish:
        """Raises Failed where what the model made is of no use."""
        return finish_of(
            self._native,
            message=self._message,
            calls=bool(self._calls),
            all_declared=self._all_declared,
            choice=self.choice,
        )

    def _tell(self, told: list[_Told]) -> list[Event]:
        """All but the last are at their end, and it too, if it cannot grow."""
        events: list[Event] = []
        for part in told:
            events += part.events
            part.events = []
            if part is not told[-1] or not part.grows:
                events.append(PartEnd(part.index, self.choice))
        last = self._open = told[-1] if told and told[-1].grows else None
        self.text = last.index if last is not None and last.kind == "text" else None
        return events

    def _part(self, raw: Raw, told: list[_Told], *, may_continue: bool) -> int | None:
        """The index of the canonical part that it is, or is more of. None for an empty one, which says nothing."""
        part = wire.decode_part(raw)
        if part.text is not None and part.function_call is None and part.inline_data is None:
            return self._text(part, part.text, told, may_continue=may_continue)
        whole = self._whole(part, raw)
        opened = self._begin(told, "other", whole, grows=False)
        return opened.index

    def _text(self, part: wire.Part, text: str, told: list[_Told], *, may_continue: bool) -> int | None:
        """A text goes on in the next response, unless either piece is signed: what is signed stands by itself."""
        kind: Literal["text", "thought"] = "thought" if part.thought else "text"
        signature = part.thought_signature
        if not text and not signature:
            return None
        before = told[-1] if told else None
        if before is None or not may_continue or signature or before.kind != kind or not before.grows:
            start: AnswerPart = Reasoning(format=SIGNATURE_FORMAT) if kind == "thought" else Text(text="")
            before = self._begin(told, kind, start, grows=not signature)
        before.texts.append(text)
        if text and kind == "thought":
            before.events.append(ReasoningDelta(before.index, text, choice=self.choice))
        elif text:
            before.events.append(TextDelta(before.index, text, self.choice))
        if signature:
            sealed = Sealed("signature" if kind == "thought" else "encrypted", SIGNATURE_FORMAT, signature)
            before.events.append(SealedDelta(before.index, sealed, self.choice))
        return before.index

    def _begin(
        self, told: list[_Told], kind: Literal["text", "thought", "other"], part: AnswerPart, *, grows: bool
    ) -> _Told:
        opened = _Told(self._next_part, kind, grows, events=[PartStart(self._next_part, part, self.choice)])
        self._next_part += 1
        told.append(opened)
        return opened

    def _whole(self, part: wire.Part, raw: Raw) -> AnswerPart:
        signature = part.thought_signature
        sealed = Sealed("encrypted", SIGNATURE_FORMAT, signature) if signature else None
        blob = part.inline_data
        media_type = (blob and blob.mime_type) or ""
        if part.function_call is not None:
            return self._call(part.function_call, sealed)
        if blob and media_type.startswith("image/"):
            return Image(source=Base64(media_type, blob.data or ""), sealed=sealed)
        if blob and media_type.startswith("audio/") and sealed is None:
            return Audio(source=Base64(media_type, blob.data or ""))
        members = wire.decode_members(raw)
        kind = next((name for name in members if name not in ("thought", "thoughtSignature")), "")
        return Opaque(dialect=DIALECT, type=kind, raw=raw)

    def _call(self, call: wire.FunctionCall, sealed: Sealed | None) -> ToolCall:
        wire_name = call.name or ""
        self._all_declared = self._all_declared and wire_name in self._plan.declared
        custom = wire_name in self._plan.custom
        arguments = compact(call.args).decode() if wire.is_given(call.args) else "{}"
        if custom:
            arguments = _free_text(arguments)
        elif choices := self._plan.choices.get(wire_name):
            arguments = _as_listed(arguments, choices)
        return ToolCall(
            call_id=self._call_id(call.id),
            name=self._plan.tools.get(wire_name, wire_name),
            arguments=arguments,
            kind="custom" if custom else "function",
            sealed=sealed,
        )

    def _call_id(self, given: str | None) -> str:
        """Unlike all others in the conversation. Its number is the call's place among the answer's calls."""
        number, self._next_call = self._next_call, self._next_call + 1
        call_id = given if given and given not in self._calls else f"{_MINTED}{number}"
        self._calls.add(call_id)
        return call_id

    def _comment(self, candidate: wire.Candidate, told: list[_Told], by_part: list[int | None]) -> None:
        """Sources and probabilities, on the texts that have not ended yet."""
        texts = {part.index: part for part in told if part.kind == "text"}
        if not texts:
            return
        if candidate.grounding_metadata or candidate.citation_metadata:
            found = Texts({index: "".join(part.texts) for index, part in texts.items()}, by_part)
            for index, citation in citations(candidate, found):
                texts[index].events.append(CitationDelta(index, citation, self.choice))
        if candidate.logprobs_result:
            last = next(reversed(texts))
            texts[last].events.append(LogprobsDelta(last, logprobs(candidate.logprobs_result), self.choice))


def _free_text(arguments: str) -> str:
    try:
        return msgspec.json.decode(arguments, type=dict[str, str]).get("input", "")
    except msgspec.ValidationError:
        return arguments


def _as_listed(arguments: str, choices: tuple[Choices, ...]) -> str:
    """With the caller's own values in place of the texts that the API took for them."""
    value: Any = msgspec.json.decode(arguments)
    for choice in choices:
        by_text = {choice_text(each): each for each in choice.values}
        value = _replaced(value, choice.path, by_text)
    return msgspec.json.encode(value).decode()


def _replaced(value: Any, path: tuple[str, ...], by_text: dict[str, Any]) -> Any:
    match value:
        case str() if not path:
            return by_text.get(value, value)
        case list() if path[:1] == ("*",):
            return [_replaced(each, path[1:], by_text) for each in value]
        case dict() if path and path[0] in value:
            return value | {path[0]: _replaced(value[path[0]], path[1:], by_text)}
        case _:
            return value
