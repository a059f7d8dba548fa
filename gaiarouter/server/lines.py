"""What a line of the log looks like: a JSON object, or words for a person at a terminal.

Every field is bounded, and nothing that is logged can begin a line of its own or speak to the terminal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Protocol

import msgspec
import orjson
from msgspec import Struct, structs, to_builtins
from structlog.dev import ConsoleRenderer
from structlog.processors import format_exc_info

from gaiarouter.dialects.redaction import redact

MAX_FIELD: Final = 256
MAX_TRACEBACK: Final = 16_384
"""Characters; the end is kept, where the error stands."""

_encode = msgspec.json.Encoder().encode


class Render(Protocol):
    """Gives lines with their ends."""

    def __call__(self, level: str, event: str, fields: dict[str, Any]) -> bytes:
        """fields: may be changed."""
        ...

    def shaped(self, level: str, event: str, fields: Struct) -> bytes:
        """The same line, in the order of the fields, without those that are UNSET."""
        ...


class Json:
    """Level, time, bounds and encoding in one go."""

    def __init__(self) -> None:
        self._second = 0
        self._up_to_second = ""

    def __call__(self, level: str, event: str, fields: dict[str, Any]) -> bytes:
        line = bounded({"event": event, "level": level, "timestamp": self._now(), **fields})
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:
            # half a surrogate pair, a number of more than 64 bits: what is logged must never be what fails
            return json.dumps(line, default=str).encode() + b"\n"

    def shaped(self, level: str, event: str, fields: Struct) -> bytes:
        """In one call of C, for there is a line for every request."""
        try:
            text = _encode(fields)
        except UnicodeEncodeError:
            return self(level, event, to_builtins(fields))
        if len(text) > _most_bytes(type(fields)):
            return self(level, event, to_builtins(fields))
        head = f'{{"event":"{event}","level":"{level}","timestamp":"{self._now()}",'
        return head.encode() + text[1:] + b"\n"

    def _now(self) -> str:
        now_us = time.time_ns() // 1000
        second = now_us // 1_000_000
        if second != self._second:
            self._second = second
            self._up_to_second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._up_to_second}.{str(now_us)[-6:]}Z"


class Words:
    """For a person: the time of day, the level, the event and its fields, in colours if the terminal has them."""

    def __init__(self, *, colours: bool) -> None:
        self._render = ConsoleRenderer(colors=colours, repr_native_str=True, sort_keys=False, pad_event_to=24)

    def __call__(self, level: str, event: str, fields: dict[str, Any]) -> bytes:
        line = bounded({"event": event, "level": level, "timestamp": time.strftime("%H:%M:%S"), **fields})
        shown = {name: _plain(value, keep="") for name, value in line.items() if value is not None}
        if "exception" in line:
            shown["exception"] = _plain(line["exception"], keep="\n")
        return self._render(None, level, shown).encode("utf-8", "backslashreplace") + b"\n"

    def shaped(self, level: str, event: str, fields: Struct) -> bytes:
        return self(level, event, to_builtins(fields))


@cache
def _most_bytes(kind: type[Struct]) -> int:
    """Of JSON in which no text can be longer than it may be, whatever the other fields are."""
    return MAX_FIELD + sum(len(f'"{field.encode_name}":0,') for field in structs.fields(kind) if field.required)


def bounded(line: dict[str, Any]) -> dict[str, Any]:
    """With its traceback as text, and no field longer than it may be."""
    if "exc_info" in line:
        line = dict(format_exc_info(None, "", line))
    elif "exception" not in line and not [v for v in line.values() if v.__class__ is str and len(v) > MAX_FIELD]:
        return line  # as nearly always
    for name, value in line.items():
        if value.__class__ is str and len(value) > MAX_FIELD:
            line[name] = traceback_of(value) if name == "exception" else value[: MAX_FIELD - 1] + "…"
        elif name == "exception":
            line[name] = traceback_of(value)
    return line


def traceback_of(text: str) -> str:
    """One that quotes a key does not tell it."""
    return "\n".join(redact(line) for line in text[-MAX_TRACEBACK:].splitlines())


def _plain(value: Any, *, keep: str) -> Any:
    """Without what a terminal would take for an order, or for a line's end."""
    if isinstance(value, Mapping | list | tuple):
        value = str(value)
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in value)
