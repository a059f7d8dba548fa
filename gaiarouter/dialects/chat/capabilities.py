"""What each model of OpenAI's accepts over Chat: data, from recorded traffic, that an operator can override.

A model that is not known takes everything: it may be anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct


class Capabilities(Struct, frozen=True, kw_only=True):
    """reasons: whether it thinks. reasons_unasked: it does without being told to. efforts: the words it takes for how
    much. sampling_with_reasoning: `temperature` and the like beside thinking. stop: `stop` is taken."""

    reasons: bool = True
    reasons_unasked: bool = False
    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    sampling_with_reasoning: bool = True
    stop: bool = True


class Row(Struct, frozen=True):
    pattern: str
    capabilities: Capabilities


_ANY = Capabilities()
_PLAIN = Capabilities(reasons=False, efforts=())
_ALWAYS = Capabilities(
    reasons_unasked=True, efforts=("minimal", "low", "medium", "high"), sampling_with_reasoning=False, stop=False
)
_IF_TOLD = msgspec.structs.replace(
    _ALWAYS, reasons_unasked=False, efforts=("none", "minimal", "low", "medium", "high", "xhigh")
)
_NEWER = msgspec.structs.replace(_IF_TOLD, reasons_unasked=True)
_NEWEST = msgspec.structs.replace(_NEWER, efforts=("none", "low", "medium", "high", "xhigh"))

ROWS: tuple[Row, ...] = (
    Row(r"gpt-oss", Capabilities(reasons_unasked=True, efforts=("low", "medium", "high"))),
    Row(r"gpt-(?:3|4)", _PLAIN),
    Row(r"chatgpt-4o", _PLAIN),
    Row(r"o[134](?:-|$)", msgspec.structs.replace(_ALWAYS, efforts=("low", "medium", "high"))),
    Row(r"gpt-5(?:\.\d+)?-(?:chat|codex|pro)", _ALWAYS),
    Row(r"gpt-5(?:-|$)", _ALWAYS),
    Row(r"gpt-5\.[1-4](?:-|$)", _IF_TOLD),
    Row(r"gpt-5\.5", _NEWER),
    Row(r"gpt-(?:5\.[6-9]|[6-9])", _NEWEST),
)
"""The first that matches the start of a name counts."""


class CapabilityTable:
    """overrides: glob over model names -> fields of Capabilities; the first glob that matches counts."""

    def __init__(self, overrides: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> None:
        self._overrides = tuple(overrides)

    def of(self, model: str) -> Capabilities:
        name = model.rpartition("/")[2].lower()
        found = next((row.capabilities for row in ROWS if re.match(row.pattern, name)), _ANY)
        changes = next((fields for glob, fields in self._overrides if fnmatchcase(model, glob)), None)
        return msgspec.structs.replace(found, **changes) if changes else found
