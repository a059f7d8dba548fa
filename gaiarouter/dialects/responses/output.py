"""The items of an answer while they grow, and the events that tell of it.

An item is told whole before the next one begins: what comes of others meanwhile waits.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.parts import Base64, Citation, Image, Opaque, Reasoning, Sealed, ToolCall
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.responses.sealing import is_own, seal_of
from gaiarouter.dialects.responses.view import Body

Told = tuple[str, Body]
"""An event's type and its members, less the number that all have."""


class OpenItem:
    """One item. at: its `output_index`."""

    def __init__(self, id_: str, at: int) -> None:
        self.id = id_
        self.at = at

    def told(self, kind: str, **members: Any) -> Told:
        return f"response.{kind}", {"item_id": self.id, "output_index": self.at, **members}

    def added(self, item: Body) -> Told:
        return "response.output_item.added", {"output_index": self.at, "item": item}

    def done(self, item: Any) -> Told:
        return "response.output_item.done", {"output_index": self.at, "item": item}


class OpenMessage(OpenItem):
    """A message of one or several parts; the last may be open."""

    def __init__(self, id_: str, at: int, phase: str | None) -> None:
        super().__init__(id_, at)
        self.phase = phase
        self._parts: list[Body] = []

    def item(self, status: str, parts: list[Body]) -> Body:
        item: Body = {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": parts}
        return item if self.phase is None else item | {"phase": self.phase}

    def begin(self) -> list[Told]:
        return [self.added(self.item("in_progress", []))]

    def place(self, part: Body) -> int:
        """The `content_index` of a new part."""
        self._parts.append(part)
        return len(self._parts) - 1

    def end(self) -> tuple[list[Told], Body]:
        item = self.item("completed", self._parts)
        return [self.done(item)], item


class OpenText:
    """A part of a message: text, or a refusal."""

    def __init__(self, message: OpenMessage, *, refusal: bool) -> None:
        self._message = message
        self._member = "refusal" if refusal else "text"
        self._event = "refusal" if refusal else "output_text"
        self._text: list[str] = []
        self._annotations: list[Any] = []
        self._citations: list[Citation] = []
        self._logprobs: list[Raw] = []
        self._untold: list[Raw] = []
        self._part = self._body("")
        self._at = message.place(self._part)

    def _body(self, text: str) -> Body:
        if self._member == "refusal":
            return {"type": "refusal", "refusal": text}
        logprobs = _joined(self._logprobs)
        return {"type": "output_text", "annotations": self._annotations, "logprobs": logprobs, "text": text}

    def _told(self, kind: str, **members: Any) -> Told:
        return self._message.told(kind, content_index=self._at, **members)

    def begin(self) -> list[Told]:
        return [self._told("content_part.added", part=dict(self._part))]

    def more(self, text: str) -> list[Told]:
        self._text.append(text)
        if self._member == "refusal":
            return [self._told("refusal.delta", delta=text)]
        logprobs, self._untold = _joined(self._untold), []
        return [self._told("output_text.delta", delta=text, logprobs=logprobs)]

    def logprobs(self, raw: Raw) -> None:
        """They go out with the text that comes next."""
        self._logprobs.append(raw)
        self._untold.append(raw)

    def cited(self, citation: Citation) -> list[Told]:
        """What does not say where it stands is told when the length of the text is known."""
        if citation.dialect == DIALECT:
            return self._annotated(citation.raw)
        self._citations.append(citation)
        return []

    def _annotated(self, annotation: Any) -> list[Told]:
        self._annotations = [*self._annotations, annotation]
        at = len(self._annotations) - 1
        return [self._told("output_text.annotation.added", annotation_index=at, annotation=annotation)]

    def end(self) -> list[Told]:
        text = "".join(self._text)
        told = [
            each
            for citation in self._citations
            if citation.kind == "url"
            for each in self._annotated(_annotation(citation, len(text)))
        ]
        self._part.update(self._body(text))
        more = {} if self._member == "refusal" else {"logprobs": self._part["logprobs"]}
        done = self._told(f"{self._event}.done", **{self._member: text}, **more)
        return [*told, done, self._told("content_part.done", part=self._part)]


class OpenReasoning(OpenItem):
    """A piece of thinking. What its maker shows of it is told as a summary; only who speaks this format, and who sends
    thinking as plain text, has it told as the thinking itself."""

    def __init__(self, id_: str, at: int, part: Reasoning) -> None:
        super().__init__(id_, at)
        self._part = part
        self._bare = not part.format or is_own(part.format)
        self._texts: dict[tuple[bool, int], list[str]] = {}
        self._sealed: list[Sealed] = list(part.sealed)
        self._piece: tuple[bool, int] | None = None
        self._places = {True: 0, False: 0}

    def begin(self) -> list[Told]:
        item: Body = {"id": self.id, "type": "reasoning", "summary": []}
        told = [self.added(item)]
        for summary, texts in ((False, self._part.visible), (True, self._part.summary)):
            for piece, text in enumerate(texts):
                told += self.more(text, piece, summary=summary)
        return told

    def seal(self, sealed: Sealed) -> None:
        self._sealed.append(sealed)

    def more(self, text: str, piece: int, *, summary: bool) -> list[Told]:
        key = (summary, piece)
        told = []
        if not text:
            self._texts.setdefault(key, [])
            return []
        if key != self._piece:
            told += self._end_piece()
            self._piece = key
            told.append(self._piece_told("part.added", self._written(key, "")))
        self._texts.setdefault(key, []).append(text)
        told.append(self._piece_told("text.delta", text))
        return told

    def _is_content(self, key: tuple[bool, int]) -> bool:
        return self._bare and not key[0]

    def _written(self, key: tuple[bool, int], text: str) -> Body:
        return {"type": "reasoning_text" if self._is_content(key) else "summary_text", "text": text}

    def _piece_told(self, kind: str, value: Any) -> Told:
        assert self._piece is not None
        member = {"text.delta": "delta", "text.done": "text"}.get(kind, "part")
        content = self._is_content(self._piece)
        place = {"content_index" if content else "summary_index": self._places[content]}
        if not content:
            return self.told(f"reasoning_summary_{kind}", **place, **{member: value})
        return self.told(f"content_{kind}" if member == "part" else f"reasoning_{kind}", **place, **{member: value})

    def _end_piece(self) -> list[Told]:
        if self._piece is None:
            return []
        text = "".join(self._texts[self._piece])
        told = [
            self._piece_told("text.done", text),
            self._piece_told("part.done", self._written(self._piece, text)),
        ]
        self._places[self._is_content(self._piece)] += 1
        self._piece = None
        return told

    def end(self) -> tuple[list[Told], Body]:
        told = self._end_piece()
        texts = {key: "".join(pieces) for key, pieces in self._texts.items()}
        shown = [(key, text) for key, text in texts.items() if text]
        item: Body = {
            "id": self.id,
            "type": "reasoning",
            "summary": [self._written(key, text) for key, text in shown if not self._is_content(key)],
        }
        if content := [self._written(key, text) for key, text in shown if self._is_content(key)]:
            item["content"] = content
        whole = msgspec.structs.replace(
            self._part,
            visible=tuple(text for key, text in texts.items() if not key[0]),
            summary=tuple(text for key, text in texts.items() if key[0]),
            sealed=tuple(self._sealed),
        )
        if (encrypted := seal_of(whole)) is not None:
            item["encrypted_content"] = encrypted
        return [*told, self.done(item)], item


class OpenCall(OpenItem):
    """A call of one of the caller's tools. name, namespace: as the caller declared it."""

    def __init__(self, id_: str, at: int, call: ToolCall, *, name: str, namespace: str | None) -> None:
        super().__init__(id_, at)
        self.call = call
        self._name = name
        self._namespace = namespace
        self._custom = call.kind == "custom"
        self._member = "input" if self._custom else "arguments"
        self._event = "custom_tool_call_input" if self._custom else "function_call_arguments"
        self._text: list[str] = []

    def _item(self, status: str, text: str) -> Body:
        kind = "custom_tool_call" if self._custom else "function_call"
        item: Body = {"id": self.id, "type": kind, "status": status, self._member: text}
        item |= {"call_id": self.call.call_id, "name": self._name}
        return item if self._namespace is None else item | {"namespace": self._namespace}

    def begin(self) -> list[Told]:
        told = [self.added(self._item("in_progress", ""))]
        return told + (self.more(self.call.arguments) if self.call.arguments else [])

    def more(self, text: str) -> list[Told]:
        self._text.append(text)
        return [self.told(f"{self._event}.delta", delta=text)]

    def end(self) -> tuple[list[Told], Body]:
        text = "".join(self._text)
        item = self._item("completed", text)
        name = {} if self._custom else {"name": self._name}
        return [self.told(f"{self._event}.done", **{self._member: text}, **name), self.done(item)], item


def whole_item(part: Image | Opaque, id_: str) -> Any:
    """An item that is told at once; None for what this format has no item for."""
    match part:
        case Opaque(dialect="responses", raw=raw):
            return raw
        case Image(source=Base64(data=data)):
            return {"id": id_, "type": "image_generation_call", "status": "completed", "result": data}
        case _:
            return None


def _annotation(citation: Citation, length: int) -> Body:
    placed = citation.start is not None and citation.end is not None
    return {
        "type": "url_citation",
        "url": citation.url or "",
        "title": citation.title or "",
        "start_index": citation.start if placed else 0,
        "end_index": citation.end if placed else length,
    }


def _joined(lists: list[Raw]) -> list[Raw]:
    return [token for raw in lists for token in msgspec.json.decode(raw, type=list[Raw])]
