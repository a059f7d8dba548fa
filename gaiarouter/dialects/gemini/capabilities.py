"""What each Gemini model accepts: data, from Google's documentation, that an operator can override.

A model that is not known counts as the newest one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from msgspec import Struct


class Capabilities(Struct, frozen=True, kw_only=True):
    """One row.

    thinking: how it is asked for, if the model thinks at all. budgets: the least and the greatest number of tokens.
    can_stop_thinking: a budget of 0 is accepted. levels: words of `thinkingLevel`, in rising order.
    json_schema: schemas may be JSON Schema, not only the older subset of OpenAPI. validated: functions can be held to
    their schemas without being forced. format_with_functions: an answer in JSON beside functions.
    hosted_with_functions: the provider's own tools beside functions. call_ids: calls have ids. signs_calls: a call in
    the conversation without its signature is refused. media_results: pictures and files inside a function's response.
    media_resolution: of each picture by itself. name_chars: the longest name of a function.
    """

    thinking: Literal["budget", "level"] | None = None
    budgets: tuple[int, int] = (0, 0)
    can_stop_thinking: bool = False
    levels: tuple[str, ...] = ()
    json_schema: bool = False
    validated: bool = False
    format_with_functions: bool = False
    hosted_with_functions: bool = False
    call_ids: bool = False
    signs_calls: bool = False
    media_results: bool = False
    media_resolution: bool = False
    name_chars: int = 64


class Row(Struct, frozen=True):
    """The models of some families (all, if none is named) from one version to another, both included."""

    families: tuple[str, ...]
    first: tuple[int, int]
    last: tuple[int, int]
    capabilities: Capabilities


_FIRST = Capabilities()
_2_5 = Capabilities(
    thinking="budget",
    budgets=(1, 24_576),
    can_stop_thinking=True,
    json_schema=True,
    validated=True,
    name_chars=128,
)
NEWEST = Capabilities(
    thinking="level",
    levels=("LOW", "MEDIUM", "HIGH"),
    json_schema=True,
    validated=True,
    format_with_functions=True,
    hosted_with_functions=True,
    call_ids=True,
    signs_calls=True,
    media_results=True,
    media_resolution=True,
    name_chars=128,
)
_WITH_MINIMAL = msgspec.structs.replace(NEWEST, levels=("MINIMAL", "LOW", "MEDIUM", "HIGH"))

_END = (99, 99)
ROWS: tuple[Row, ...] = (
    Row((), (1, 0), (2, 4), _FIRST),
    Row(("pro",), (2, 5), (2, 9), msgspec.structs.replace(_2_5, budgets=(128, 32_768), can_stop_thinking=False)),
    Row(("flash-lite",), (2, 5), (2, 9), msgspec.structs.replace(_2_5, budgets=(512, 24_576))),
    Row((), (2, 5), (2, 9), _2_5),
    Row(("pro",), (3, 0), (3, 0), msgspec.structs.replace(NEWEST, levels=("LOW", "HIGH"))),
    Row(("flash", "flash-lite"), (3, 0), (3, 5), _WITH_MINIMAL),
    Row((), (3, 0), _END, NEWEST),
)

# gemini-2.5-flash-lite-preview-09-2025, gemini-3-pro-preview, gemini-2.0-flash-001
_NAME = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?(?!\d)(?:-(flash-lite|[a-z]+))?")


class CapabilityTable:
    """overrides: glob over model names -> fields of Capabilities; the first glob that matches counts."""

    def __init__(self, overrides: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> None:
        self._overrides = tuple(overrides)

    def of(self, model: str) -> Capabilities:
        found = _row(model.lower())
        changes = next((fields for glob, fields in self._overrides if fnmatchcase(model, glob)), None)
        return msgspec.structs.replace(found, **changes) if changes else found


def _row(model: str) -> Capabilities:
    name = _NAME.search(model)
    if name is None:
        return NEWEST
    major, minor, family = name.groups()
    version = (int(major), int(minor or 0))
    rows = (
        row.capabilities
        for row in ROWS
        if row.first <= version <= row.last and (not row.families or family in row.families)
    )
    return next(rows, NEWEST)
