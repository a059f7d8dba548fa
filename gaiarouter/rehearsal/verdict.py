"""What was expected against what happened: one difference for each thing that is not as the case says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gaiarouter.rehearsal.cases import Case, ExpectedAttempt
from gaiarouter.rehearsal.play import Happened
from gaiarouter.rehearsal.stage import Asked

TOLERANCE: Final = 0.03
"""Of a share: draws are draws."""
_NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    what: str
    expected: str
    happened: str


def differences(case: Case, it: Happened) -> tuple[Difference, ...]:
    return tuple(_differences(case, it))


def _differences(case: Case, it: Happened) -> Iterator[Difference]:
    want, said = case.expect, case.expect.said
    plain = (
        ("route", want.route, it.route),
        ("status", want.status, it.status),
        ("error", want.error, it.error),
    )
    for what, expected, happened in plain:
        if what in said and expected != happened:
            yield Difference(what, _shown(expected), _shown(happened))
    if "served_by" in said and not _is(want.served_by, it.served):
        yield Difference("served_by", _shown(want.served_by), _shown(it.served))
    if "attempts" in said and not _are(want.attempts, it.asked):
        yield Difference(
            "attempts",
            ", ".join(_attempt(each) for each in want.attempts) or _NOTHING,
            ", ".join(f"{each.target.id}: {each.word}" for each in it.asked) or _NOTHING,
        )
    for name, share in want.shares.items():
        had = sum(each for served, each in it.shares.items() if _is(name, served))
        if abs(had - share) > TOLERANCE:
            nobody = f" ({unserved:.1%} by nobody)" if (unserved := it.shares.get("none")) else ""
            yield Difference(f"share of {name}", f"{share:.1%}", f"{had:.1%}{nobody}")
    for name, value in want.headers.items():
        if it.headers.get(name) != value:
            yield Difference(name, _shown(value), _shown(it.headers.get(name)))
    if "dropped" in said and sorted(want.dropped) != sorted(it.dropped):
        yield Difference("dropped", ", ".join(want.dropped) or _NOTHING, ", ".join(it.dropped) or _NOTHING)
    if "within" in said and it.took_s > want.within_s:
        yield Difference("within", f"{want.within_s:g} s", f"{it.took_s:g} s")


def _is(expected: str | None, target: str | None) -> bool:
    """A provider's name stands for all of its targets."""
    if expected is None or target is None:
        return expected is target
    return expected in (target, target.partition("/")[0])


def _are(expected: tuple[ExpectedAttempt, ...], asked: tuple[Asked, ...]) -> bool:
    return len(expected) == len(asked) and all(
        _is(want.target, had.target.id) and want.outcome in (None, had.word)
        for want, had in zip(expected, asked, strict=True)
    )


def _attempt(expected: ExpectedAttempt) -> str:
    return expected.target if expected.outcome is None else f"{expected.target}: {expected.outcome}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
