"""What each Claude model accepts: data, from Anthropic's documentation, that an operator can override.

The gateway needs it where the API answers 400 for what an older model took, or the other way round. A model that is
not known counts as the newest one; one that is no Claude, behind a server of this format, as what the format was first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from msgspec import Struct

ThinkingType = Literal["enabled", "disabled", "adaptive", "between_tools"]


class Capabilities(Struct, frozen=True, kw_only=True):
    """One row.

    thinking: values of `thinking.type` that are accepted. thinks_unasked: what its absence means. efforts: in rising
    order. disabled_up_to: the highest effort beside `disabled`. sampling: non-default values are accepted.
    temperature_with_top_p: both at once too. forced_choice: `tool_choice` any and tool. prefill: the last message may
    be the assistant's. bound: thinking is valid only after the very messages it was made for. system_turns: `system`
    messages in the conversation. max_output: tokens; None where not known.
    """

    thinking: tuple[ThinkingType, ...] = ("enabled", "disabled")
    thinks_unasked: Literal["no", "yes", "always"] = "no"
    efforts: tuple[str, ...] = ()
    disabled_up_to: str | None = None
    sampling: bool = True
    temperature_with_top_p: bool = True
    forced_choice: Literal["yes", "unless_enabled", "no"] = "unless_enabled"
    prefill: bool = True
    bound: bool = False
    system_turns: bool = False
    structured_outputs: bool = True
    max_output: int | None = None


class Row(Struct, frozen=True):
    """The models of some families (all, if none is named) from one version to another, both included."""

    families: tuple[str, ...]
    first: tuple[int, int]
    last: tuple[int, int]
    capabilities: Capabilities


_TO_HIGH = ("low", "medium", "high")
_TO_MAX = ("low", "medium", "high", "max")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""All that any model knows, in rising order."""

_FIRST = Capabilities(thinking=(), forced_choice="yes", structured_outputs=False, max_output=4096)
_BUDGET = Capabilities(structured_outputs=False, max_output=64_000)
_BUDGET_4_5 = Capabilities(temperature_with_top_p=False, max_output=64_000)
_4_6 = Capabilities(
    thinking=("adaptive", "enabled", "disabled"),
    efforts=_TO_MAX,
    temperature_with_top_p=False,
    prefill=False,
    max_output=128_000,
)
_4_7 = Capabilities(
    thinking=("adaptive", "disabled"),
    efforts=EFFORTS,
    sampling=False,
    forced_choice="yes",
    prefill=False,
    max_output=128_000,
)
_5 = msgspec.structs.replace(_4_7, thinks_unasked="yes")
_ALWAYS = msgspec.structs.replace(_4_7, thinking=("adaptive",), thinks_unasked="always", system_turns=True)
NEWEST = msgspec.structs.replace(_ALWAYS, forced_choice="no", bound=True)
NOT_CLAUDE = Capabilities()

_END = (99, 99)
ROWS: tuple[Row, ...] = (
    Row((), (0, 0), (3, 0), _FIRST),
    Row((), (3, 5), (3, 5), msgspec.structs.replace(_FIRST, max_output=8192)),
    Row(("opus",), (4, 0), (4, 0), msgspec.structs.replace(_BUDGET, max_output=32_000)),
    Row(("opus",), (4, 1), (4, 1), msgspec.structs.replace(_BUDGET_4_5, max_output=32_000)),
    Row((), (3, 6), (4, 1), _BUDGET),
    Row(("opus",), (4, 5), (4, 5), msgspec.structs.replace(_BUDGET_4_5, efforts=_TO_HIGH)),
    Row((), (4, 2), (4, 5), _BUDGET_4_5),
    Row(("sonnet",), (4, 6), (4, 6), msgspec.structs.replace(_4_6, max_output=64_000)),
    Row((), (4, 6), (4, 6), _4_6),
    Row((), (4, 8), (4, 8), msgspec.structs.replace(_4_7, system_turns=True)),
    Row((), (4, 7), (4, 9), _4_7),
    Row(("opus",), (5, 0), (5, 0), msgspec.structs.replace(_5, disabled_up_to="high", system_turns=True)),
    Row(("sonnet", "haiku"), (5, 0), (5, 4), _5),
    Row(("fable", "mythos"), (5, 0), (5, 0), _ALWAYS),
    Row(
        ("sonnet",),
        (5, 5),
        (5, 5),
        msgspec.structs.replace(NEWEST, thinking=("adaptive", "between_tools"), thinks_unasked="yes"),
    ),
    Row(
        ("haiku",),
        (5, 5),
        (5, 5),
        msgspec.structs.replace(NEWEST, thinking=("adaptive", "disabled"), thinks_unasked="yes", disabled_up_to="high"),
    ),
    Row((), (5, 0), _END, NEWEST),
)

# claude-3-5-sonnet-20241022, claude-sonnet-4-20250514, anthropic.claude-opus-4-5-20251101-v1:0, claude-opus-4.7-fast
_NAME = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?(?:-([a-z]+))?")


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
        return NEWEST if "claude" in model else NOT_CLAUDE
    before, major, minor, after = name.groups()
    family, version = before or after or "", (int(major), int(minor or 0))
    rows = (
        row.capabilities
        for row in ROWS
        if row.first <= version <= row.last and (not row.families or family in row.families)
    )
    return next(rows, NEWEST)
