"""What a model said, as an official client shows it to its user, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass(slots=True)
class Said:
    """finish: stop, length, tool_calls or refusal. tokens: input, output, of the input from a cache; what the vendors
    count apart is added up. calls: name, arguments as data. replay: the answer as its client sends it back."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str | None = None
    tokens: tuple[int, int, int] | None = None
    replay: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. model: by the caller's name of it. earlier: an answer that the conversation goes on from."""

    model: str
    tools: bool = False
    schema: bool = False
    picture: bool = False
    pdf: bool = False
    shown_picture: bool = False
    """A tool gave back a picture."""
    thinking: bool = False
    sound: bool = False
    choices: int | None = None
    earlier: Said | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client is pointed: at the gateway, or at the scripted provider itself. http: one for all libraries."""

    url: str
    key: str
    http: httpx2.AsyncClient


class FailedError(Exception):
    """The client raised its own error. text: what it had shown before."""

    def __init__(self, status: int | None, message: str, text: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.text = text


PROMPT = "What is in it?"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["name", "population"],
    "additionalProperties": False,
}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where"}},
    "required": ["city"],
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
"""One transparent pixel."""
PDF = "JVBERi0xLjQKJcOkw7zDtsOfCjEgMCBvYmoKPDw+PgplbmRvYmoKdHJhaWxlcgo8PD4+CiUlRU9GCg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
