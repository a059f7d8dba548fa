"""One choice of an answer in Chat's form as canonical parts: which events a message, or a delta of one, stands for.

Chat tells its kinds of content apart but not where one ends: a part ends when another kind begins, a call when its
arguments are whole and something else begins, and all that is open ends with the choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    PartEnd,
    PartStart,
    Reason,
    ReasoningDelta,
    SealedDelta,
    TextDelta,
)
from gaiarouter.canonical.parts import Citation, Image, Reasoning, Refusal, Sealed, SealKind, Text, ToolCall
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.chat import spoken
from gaiarouter.dialects.chat.details import REASONING_GAP
from gaiarouter.dialects.chat.form import Detail
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.logprobs import is_told
from gaiarouter.dialects.media import source_of
from gaiarouter.errors import BadAnswer, Failed

DIALECT = "chat"
_REASONS: dict[str, Reason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "COMPLETE": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "model_length": "context_length",
}
_FAILURES = frozenset({"error", "abort", "insufficient_system_resource"})
_YIELDS_TO_CALLS = frozenset({"stop", "stop_sequence", "other"})
_NO_ID = ("", "null")


class _Call:
    """A call that is being told. index: of its part."""

    __slots__ = ("arguments", "id", "index", "is_open", "is_wrapped")

    def __init__(self, index: int, call_id: str, *, is_wrapped: bool) -> None:
        self.index = index
        self.id = call_id
        self.is_wrapped = is_wrapped
        self.is_open = True
        self.arguments: list[str] = []

    def is_whole(self) -> bool:
        try:
            msgspec.json.decode("".join(self.arguments))
        except msgspec.DecodeError:
            return False
        return True


class ChoiceReader:
    """Reads the deltas of one choice in turn; of a whole answer, its message as the only one."""

    def __init__(self, number: int, plan: AnswerPlan) -> None:
        self._number = number
        self._plan = plan
        self._next = 0
        self._kind: str | None = None
        self._index = 0
        self._calls: dict[int | str, _Call] = {}
        self._last_call: _Call | None = None
        self._details: tuple[int, str, str | None] | None = None
        self._refused = False
        self._called = False
        self._finish: spoken.Choice | None = None
        self.has_content = False

    @property
    def is_finished(self) -> bool:
        return self._finish is not None

    def read(self, choice: spoken.Choice, said: spoken.Said | None) -> list[Event]:
        """Raises BadAnswer for arguments that come after their call was whole."""
        events: list[Event] = []
        if said is not None:
            events += self._thinking(said)
            events += self._content(said)
            if said.refusal:
                self._refused = True
                events += self._text("refusal", said.refusal)
            events += self._citations(said.annotations)
            events += self._pictures(said.images)
            events += self._tool_calls(said)
        if choice.logprobs is not None and self._kind == "text" and is_told(choice.logprobs.content):
            events.append(LogprobsDelta(self._index, choice.logprobs.content, self._number))
        if choice.finish_reason and self._finish is None:
            self._finish = choice
        return events

    def close(self) -> list[Event]:
        """All that is open, ended. Raises Failed where the ending says that the model broke down."""
        events = [*self._end_part(), *self._end_calls(all_of_them=True)]
        return [*events, self._ending()]

    def _ending(self) -> Finish:
        native = self._finish.finish_reason if self._finish else None
        if native in _FAILURES:
            raise Failed("The provider's model failed while it answered", outcome="bad_response")
        reason = _REASONS.get(native or "stop", "other")
        stopped_by = self._finish.stop_reason if self._finish else None
        sequence = stopped_by if isinstance(stopped_by, str) and reason == "stop" else None
        if sequence is not None:
            reason = "stop_sequence"
        if self._refused and reason == "stop":
            reason = "refusal"
        if self._called and reason in _YIELDS_TO_CALLS:
            reason = "tool_calls"
        return Finish(reason=reason, native=native, stop_sequence=sequence, choice=self._number)

    def _content(self, said: spoken.Said) -> list[Event]:
        content = said.content
        if isinstance(content, str):
            return self._text("text", content) if content else self._transcript(said)
        events: list[Event] = []
        for part in content or ():
            if part.thinking is not None:
                events += self._plain_thought(_thought(part.thinking))
            elif part.text:
                events += self._text("text", part.text)
        return events or self._transcript(said)

    def _transcript(self, said: spoken.Said) -> list[Event]:
        """Of sound, which goes no further, what was said."""
        return self._text("text", said.audio.transcript) if said.audio and said.audio.transcript else []

    def _text(self, kind: str, text: str) -> list[Event]:
        part = Refusal(text="") if kind == "refusal" else Text(text="")
        return [*self._begun(kind, part), TextDelta(self._index, text, self._number)]

    def _begun(self, kind: str, part: Text | Refusal | Reasoning) -> list[Event]:
        """The end of what was told before, and the start of the new, unless it goes on."""
        self.has_content = True
        if self._kind == kind:
            return []
        events = [*self._end_part(), *self._end_calls(all_of_them=False)]
        self._kind, self._index = kind, self._new()
        return [*events, PartStart(self._index, part, self._number)]

    def _new(self) -> int:
        self._next += 1
        return self._next - 1

    def _end_part(self) -> list[Event]:
        if self._kind is None:
            return []
        self._kind, self._details = None, None
        return [PartEnd(self._index, self._number)]

    def _thinking(self, said: spoken.Said) -> list[Event]:
        """Details say more than the text that many servers send beside them."""
        if said.reasoning_details:
            return [event for detail in said.reasoning_details for event in self._detail(detail)]
        text = said.reasoning_content or said.reasoning
        return self._plain_thought(text) if text else []

    def _plain_thought(self, text: str) -> list[Event]:
        if not text:
            return []
        begun = self._begun("reasoning", Reasoning())
        return [*begun, ReasoningDelta(self._index, text, choice=self._number)]

    def _detail(self, detail: Detail) -> list[Event]:
        format_ = detail.format or ""
        # sealed bytes may have a name, which the text that is told of them has not
        place = (detail.index or 0, format_, detail.id if detail.data else None)
        begun: list[Event] = []
        if self._kind != "reasoning" or self._details != place:
            begun = [*self._end_part(), *self._begun("reasoning", Reasoning(format=format_, id=detail.id))]
            self._details = place
        events: list[Event] = []
        if detail.text:
            events.append(ReasoningDelta(self._index, detail.text, choice=self._number))
        if detail.summary:
            events.append(ReasoningDelta(self._index, detail.summary, summary=True, choice=self._number))
        if detail.signature:
            events.append(
                SealedDelta(self._index, Sealed("signature", format_, detail.signature, DIALECT), self._number)
            )
        if detail.data:
            sealed = Sealed(_sealed_as(format_), format_, detail.data, DIALECT)
            events.append(SealedDelta(self._index, sealed, self._number))
        return begun + events

    def _citations(self, annotations: Sequence[Raw] | None) -> list[Event]:
        events: list[Event] = []
        for raw in annotations or ():
            found = spoken.decode_annotation(raw).url_citation
            if self._kind != "text" or found is None:
                continue
            citation = Citation(
                kind="url",
                dialect=DIALECT,
                raw=raw,
                url=found.url,
                title=found.title,
                start=found.start_index,
                end=found.end_index,
            )
            events.append(CitationDelta(self._index, citation, self._number))
        return events

    def _pictures(self, images: Sequence[spoken.Picture] | None) -> list[Event]:
        events: list[Event] = []
        for picture in images or ():
            if picture.image_url is None or not picture.image_url.url:
                continue
            self.has_content = True
            index = self._new()
            part = Image(source=source_of(picture.image_url.url))
            events += [*self._end_part(), PartStart(index, part, self._number), PartEnd(index, self._number)]
        return events

    def _tool_calls(self, said: spoken.Said) -> list[Event]:
        events = [event for call in said.tool_calls or () for event in self._call(call)]
        old = said.function_call
        if old is not None and (old.name or spoken.is_given(old.arguments)):
            events += self._call(spoken.Call(index=0, function=old))
        return events

    def _call(self, told: spoken.Call) -> list[Event]:
        call_id = "" if told.id in _NO_ID or told.id is None else told.id
        call = self._known(told, call_id)
        begun: list[Event] = []
        if call is None:
            call, begun = self._begin_call(told, call_id)
        text = _arguments(told)
        if not text:
            return begun
        if not call.is_open:
            if text.strip():
                raise BadAnswer("The provider's stream goes on with a call that was complete")
            return begun
        call.arguments.append(text)
        return begun if call.is_wrapped else [*begun, ArgumentsDelta(call.index, text, self._number)]

    def _known(self, told: spoken.Call, call_id: str) -> _Call | None:
        """The call that a fragment goes on with: by its index, unless its id is another; by its id; else the last."""
        if told.index is not None:
            found = self._calls.get(told.index)
            return found if found is None or not call_id or call_id == found.id else None
        if call_id:
            return self._calls.get(call_id)
        named = (told.function and told.function.name) or (told.custom and told.custom.name)
        return None if named else self._last_call

    def _begin_call(self, told: spoken.Call, call_id: str) -> tuple[_Call, list[Event]]:
        self.has_content = self._called = True
        wire = (told.function.name if told.function else told.custom.name if told.custom else None) or ""
        name, wrapped = self._plan.tools.get(wire, wire), wire in self._plan.wrapped
        events = [*self._end_part(), *self._end_calls(all_of_them=False)]
        call = _Call(self._new(), call_id, is_wrapped=wrapped)
        self._calls[told.index if told.index is not None else call_id or f"call {call.index}"] = call
        self._last_call = call
        is_custom = wrapped or told.custom is not None or told.type == "custom"
        part = ToolCall(
            call_id=call_id or f"call_gw_{call.index}", name=name, kind="custom" if is_custom else "function"
        )
        return call, [*events, PartStart(call.index, part, self._number)]

    def _end_calls(self, *, all_of_them: bool) -> list[Event]:
        """Those whose arguments are whole; at the end of the choice all."""
        events: list[Event] = []
        for call in self._calls.values():
            if call.is_open and (all_of_them or call.is_whole()):
                call.is_open = False
                if call.is_wrapped:
                    events.append(ArgumentsDelta(call.index, _unwrapped("".join(call.arguments)), self._number))
                events.append(PartEnd(call.index, self._number))
        return events


def _sealed_as(format_: str) -> SealKind:
    return "redacted" if format_.startswith("anthropic-") else "encrypted"


def _thought(thinking: list[spoken.Part] | str) -> str:
    return thinking if isinstance(thinking, str) else REASONING_GAP.join(part.text or "" for part in thinking)


def _arguments(told: spoken.Call) -> str:
    """Some servers send the object itself where a text of it belongs."""
    if told.custom is not None:
        return told.custom.input or ""
    raw = told.function.arguments if told.function is not None else spoken.ABSENT
    if not spoken.is_given(raw):
        return ""
    return spoken.decode_text(raw) if bytes(raw).startswith(b'"') else compact(raw).decode()


def _unwrapped(arguments: str) -> str:
    try:
        return msgspec.json.decode(arguments, type=dict[str, str]).get("input", "")
    except (msgspec.DecodeError, UnicodeError):
        return arguments  # cut short by a limit: the caller sees what there is
