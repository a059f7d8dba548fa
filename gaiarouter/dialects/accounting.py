"""What becomes of each slot of the canonical form in a target's format: its own table, and how the table is applied.

`map` and `adapt` are the encoder's work, which reports what it adapts. `drop` and `reject` are done here, for every
slot the caller gave a value that means something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from msgspec import Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import CanonicalRequest, Extra, Tool

NO_COUNTERPART = "the model's provider has no such setting"


class Rule(Struct, frozen=True):
    """neutral: values that ask for nothing and are dropped without a word. blind: as of Losses.drop."""

    kind: Literal["map", "adapt", "drop", "reject"]
    why: str = ""
    neutral: tuple[object, ...] = ()
    blind: bool = False


class Field(Struct, frozen=True):
    """A field of a caller's request. slot: a path in CanonicalRequest, or of the parts it is made of; None for an
    extra, whose `loss` is as Extra has it."""

    slot: str | None = None
    loss: Literal["drop", "blind", "refuse"] = "drop"


def slots(**named: str) -> dict[str, Field]:
    return {name: Field(slot) for name, slot in named.items()}


def dropped(*neutral: object) -> Rule:
    return Rule("drop", NO_COUNTERPART, neutral)


def account(
    request: CanonicalRequest, losses: Losses, *, slots: Mapping[str, Rule], forwarded: Collection[str]
) -> None:
    """Drops or refuses what has no place in the target's format. Raises InvalidRequest.

    forwarded: extras that the target knows by these names.
    """
    for slot, path in request.paths.items():
        rule = slots[slot]
        if rule.kind in ("drop", "reject") and _value(request, slot) not in rule.neutral:
            if rule.kind == "reject":
                raise refused(path, rule.why)
            losses.drop(path, rule.why, blind=rule.blind)
    for name, extra in request.extras.items():
        if name not in forwarded:
            _leave_out(name, extra, losses)


def usable_tools(request: CanonicalRequest, losses: Losses, *, dialect: str) -> tuple[Tool, ...]:
    """Those that a target of the dialect is told of: none of another's that the caller can spare."""
    usable: list[Tool] = []
    for tool in request.tools:
        if tool.spare and tool.dialect != dialect:
            losses.drop(tool.path, "a tool that runs at another provider, which the model does without")
        else:
            usable.append(tool)
    return tuple(usable)


def _leave_out(name: str, extra: Extra, losses: Losses) -> None:
    if extra.loss == "refuse":
        raise refused(name, NO_COUNTERPART)
    losses.drop(name, NO_COUNTERPART, blind=extra.loss == "blind")


def _value(request: CanonicalRequest, slot: str) -> Any:
    """None for a slot that is of many parts, not of the request as a whole."""
    value: Any = request
    for name in slot.split("."):
        value = getattr(value, name, None)
    return value
