"""What was done to a request and must be undone in its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class Choices(Struct, frozen=True):
    """A value that the caller's schema lists as something else than text, which the API cannot. path: the steps from
    the arguments to it, "*" for the items of an array. values: as the caller listed them."""

    path: tuple[str, ...]
    values: tuple[Any, ...]


class AnswerPlan(Struct, frozen=True, kw_only=True):
    """tools: wire name -> the caller's, where they differ. declared: wire names of all functions. custom: of those that
    take free text. choices: by wire name. next_call: the number of the first call that comes without an id."""

    tools: Mapping[str, str] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    custom: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[Choices, ...]] = field(default_factory=dict)
    next_call: int = 0
