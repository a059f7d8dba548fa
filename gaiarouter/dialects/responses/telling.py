"""Which items an answer is made of, in the order they are told: an item is told whole before the next one begins.

Texts that follow one another are parts of one message, unless their maker had them in several.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CitationDelta,
    LogprobsDelta,
    PartDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    TextDelta,
)
from gaiarouter.canonical.parts import AnswerPart, Audio, Image, Opaque, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.dialects.responses.output import (
    OpenCall,
    OpenItem,
    OpenMessage,
    OpenReasoning,
    OpenText,
    Told,
    whole_item,
)
from gaiarouter.dialects.responses.sealing import Wrapped, wrap
from gaiarouter.dialects.responses.view import AnswerView

PartEvent = PartStart | PartEnd | PartDelta


class Telling:
    """One answer. items: those that are complete. response_id: the answer's, set before the first part."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._current: int | None = None
        self._waiting: dict[int, list[PartEvent]] = {}
        self._message: OpenMessage | None = None
        self._unbegun: Text | Refusal | None = None
        self._text: OpenText | None = None
        self._item: OpenReasoning | OpenCall | None = None
        self._seal: Sealed | None = None
        self._spoke_refusal = False
        self.response_id = ""
        self.items: list[Any] = []

    def take(self, event: PartEvent) -> list[Told]:
        """The events of one part at a time: those of others wait until it ends."""
        if self._current is None:
            self._current = event.index
        if event.index != self._current:
            self._waiting.setdefault(event.index, []).append(event)
            return []
        told = list(self._told(event))
        if isinstance(event, PartEnd):
            self._current = None
            if self._waiting:
                longest = next(iter(self._waiting))
                told += [each for held in self._waiting.pop(longest) for each in self.take(held)]
        return told

    def end(self, refusal: str | None) -> list[Told]:
        """refusal: what to say where the model was stopped, if it said nothing of the kind itself."""
        told: list[Told] = []
        while self._current is not None:
            told += self.take(PartEnd(self._current))
        if refusal is not None and not self._spoke_refusal:
            told += [*self.take(PartStart(0, Refusal(text=refusal))), *self.take(PartEnd(0))]
        return told + self._end_message()

    def _told(self, event: PartEvent) -> Iterator[Told]:
        match event:
            case PartStart(part=part):
                yield from self._begin(part)
            case PartEnd():
                yield from self._end_part()
            case TextDelta(text=text):
                yield from self._more_text(text)
            case ReasoningDelta(text=text, piece=piece, summary=summary) if isinstance(self._item, OpenReasoning):
                yield from self._item.more(text, piece, summary=summary)
            case ArgumentsDelta(text=text) if isinstance(self._item, OpenCall):
                yield from self._item.more(text)
            case SealedDelta(sealed=sealed) if isinstance(self._item, OpenReasoning):
                self._item.seal(sealed)
            case SealedDelta(sealed=sealed):
                self._seal = sealed
            case CitationDelta(citation=citation):
                yield from self._begin_text()
                if self._text is not None:
                    yield from self._text.cited(citation)
            case LogprobsDelta(raw=raw):
                yield from self._begin_text()
                if self._text is not None:
                    self._text.logprobs(raw)
            case _:
                pass

    def _begin(self, part: AnswerPart) -> Iterator[Told]:
        match part:
            case Text() | Refusal():
                yield from self._begin_unspoken(part)
            case Audio(transcript=transcript):
                yield from self._begin_unspoken(Text(text=transcript or ""))
            case Reasoning():
                yield from self._end_message()
                yield from self._begin_item(OpenReasoning(self._id("rs", part.id), len(self.items), part))
            case ToolCall(kind="function" | "custom"):
                yield from self._end_message()
                yield from self._begin_item(self._call(part))
            case Image() | Opaque():
                yield from self._whole(part)
            case _:
                pass  # a tool that the provider runs by itself

    def _id(self, prefix: str, own: str | None) -> str:
        return own or self._view.item_id(prefix, self.response_id, len(self.items))

    def _begin_item(self, item: OpenReasoning | OpenCall) -> list[Told]:
        self._item = item
        return item.begin()

    def _call(self, call: ToolCall) -> OpenCall:
        self._seal = call.sealed
        namespace = call.namespace or self._view.namespaces.get(call.name)
        name = call.name.removeprefix(f"{namespace}__") if namespace else call.name
        id_ = self._id("ctc" if call.kind == "custom" else "fc", call.item_id)
        return OpenCall(id_, len(self.items), call, name=name, namespace=namespace)

    def _whole(self, part: Image | Opaque) -> Iterator[Told]:
        item = whole_item(part, self._id("ig", None))
        if item is not None:
            yield from self._end_message()
            yield from self._tell_whole(item)

    def _tell_whole(self, item: Any) -> list[Told]:
        whole = OpenItem("", len(self.items))
        self.items.append(item)
        return [whole.added(item), whole.done(item)]

    def _begin_unspoken(self, part: Text | Refusal) -> list[Told]:
        """A text begins with its first letter, so that one without any leaves nothing behind; one that has a message of
        its own is told all the same."""
        self._unbegun = part
        if isinstance(part, Text):
            self._seal = part.sealed
        else:
            self._spoke_refusal = True
        told = self._begin_text() if part.item_id is not None else []
        return told + (self._more_text(part.text) if part.text else [])

    def _begin_text(self) -> list[Told]:
        part, self._unbegun = self._unbegun, None
        if part is None:
            return []
        phase = part.phase if isinstance(part, Text) else None
        told: list[Told] = []
        message = self._message
        if message is not None and (part.item_id not in (None, message.id) or phase != message.phase):
            told += self._end_message()
        if self._message is None:
            self._message = OpenMessage(self._id("msg", part.item_id), len(self.items), phase)
            told += self._message.begin()
        self._text = OpenText(self._message, refusal=isinstance(part, Refusal))
        told += self._text.begin()
        if isinstance(part, Text):
            told += [each for citation in part.citations for each in self._text.cited(citation)]
            for raw in part.logprobs:
                self._text.logprobs(raw)
        return told

    def _more_text(self, text: str) -> list[Told]:
        told = self._begin_text()
        return told + (self._text.more(text) if self._text is not None else [])

    def _end_part(self) -> Iterator[Told]:
        self._unbegun = None
        of = ""
        if self._text is not None:
            yield from self._text.end()
            self._text = None
        if self._item is not None:
            told, item = self._item.end()
            of = self._item.call.call_id if isinstance(self._item, OpenCall) else ""
            self._item = None
            self.items.append(item)
            yield from told
        if self._seal is not None:
            yield from self._end_message()
            yield from self._tell_seal(self._seal, of)
            self._seal = None

    def _tell_seal(self, sealed: Sealed, of: str) -> list[Told]:
        """What a caller must send back with a text or a call has no place in their items: it comes in one behind."""
        encrypted = wrap(Wrapped(format=sealed.format, sealed=(sealed,), of=of))
        item = {"id": self._id("rs", None), "type": "reasoning", "summary": [], "encrypted_content": encrypted}
        return self._tell_whole(item)

    def _end_message(self) -> list[Told]:
        if self._message is None:
            return []
        told, item = self._message.end()
        self._message = None
        self.items.append(item)
        return told
