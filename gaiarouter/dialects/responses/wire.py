"""What a Response and the events of its stream look like, as far as a watcher reads them. What is not named passes by
unread; known members are as wide as what providers send."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import token_weight

ABSENT = Raw(b"")
_MAX_DIGITS = 16


class Piece(Struct, gc=False):
    text: str | None = None
    refusal: str | None = None

    def weight(self) -> float:
        return token_weight(self.text or self.refusal or "")


class Item(Struct, gc=False):
    type: str = ""
    name: str | None = None
    arguments: Raw = ABSENT
    input: Raw = ABSENT
    content: list[Piece] | str | None = None
    summary: list[Piece] | None = None

    @property
    def is_call(self) -> bool:
        """Of a tool of the caller's."""
        return self.type in ("function_call", "custom_tool_call")

    def weight(self) -> float:
        pieces = [*(self.content if isinstance(self.content, list) else ()), *(self.summary or ())]
        said = sum((piece.weight() for piece in pieces), 0.0)
        return said + (len(self.name or "") + len(self.arguments) + len(self.input)) / 4 * self.is_call


class Incomplete(Struct, gc=False):
    reason: str | None = None


class Response(Struct, gc=False):
    status: str | None = None
    error: Raw = ABSENT
    output: list[Item] | None = None
    incomplete_details: Incomplete | None = None
    usage: Raw = ABSENT
    service_tier: Raw = ABSENT

    def reason(self) -> str | None:
        """Why it ended, in the words of the canonical form; None while it has not."""
        if self.status == "incomplete":
            found = self.incomplete_details.reason if self.incomplete_details else None
            return {"max_output_tokens": "length", "content_filter": "content_filter"}.get(found or "", "other")
        if self.status != "completed":
            return None
        return "tool_calls" if any(item.is_call for item in self.output or ()) else "stop"


class Event(Struct, gc=False):
    type: str = ""
    delta: Raw = ABSENT
    item: Item | None = None
    response: Response | None = None
    error: Raw = ABSENT


class RawEvent(Struct, gc=False):
    """The answer that an event holds, in its own bytes."""

    type: str = ""
    response: Raw = ABSENT


class Numbered(Struct, gc=False):
    sequence_number: Raw = ABSENT


def number_after(data: bytes) -> int:
    """Of the event that follows one with this data; 0 where there was none, or it has no number."""
    told = bytes(_decode_numbered(data).sequence_number) if data else b""
    return int(told) + 1 if told.isdigit() and len(told) < _MAX_DIGITS else 0


def is_given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


_decode_numbered = msgspec.json.Decoder(Numbered).decode
decode_event = msgspec.json.Decoder(Event).decode
decode_raw_event = msgspec.json.Decoder(RawEvent).decode
decode_response = msgspec.json.Decoder(Response).decode
