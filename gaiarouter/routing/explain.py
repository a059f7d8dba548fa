"""Why a model name goes where it goes: the answer of `gaiarouter explain`, as a value, as text and as JSON.

It says what the table says, offline; the health of targets is not part of it. Of a whole request it also says whom that
is bound to.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import Final, Literal

from gaiarouter.config.settings import Affinity, Balance, FallbackCondition, Retry, Route, Timeouts
from gaiarouter.dialects.binding import Binding, Hold
from gaiarouter.errors import InvalidRequest
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.table import Table

_COLUMNS: Final = 100
_LABEL: Final = 12
_ROUTES_NAMED: Final = 12
_BALANCES: Final[Mapping[Balance, tuple[str, str]]] = MappingProxyType(
    {
        "weighted": ("shared by weight", ""),
        "least_latency": ("the quickest to answer first", "by latency"),
        "least_busy": ("the least busy first", "by load"),
        "cheapest": ("the cheapest first", "by price"),
    }
)
"""What is said of a group, and of a target whose share is not fixed."""
_AFFINITIES: Final[Mapping[Affinity, str]] = MappingProxyType(
    {
        "key": "requests of the same key stay on the same target",
        "user": "requests for the same end user stay on the same target",
        "prefix": "a conversation stays on the same target",
    }
)
_HOLDS: Final[Mapping[Hold, str]] = MappingProxyType(
    {
        "kept": "only who keeps it is asked",
        "sealed": "only who sealed it is asked",
        "state": "only who can keep state is asked",
        "preference": "who can read it is asked first",
    }
)
"""What a binding does."""


@dataclass(frozen=True, slots=True)
class Place:
    """A route by its name, and the line of the file where it stands (0: not from a file)."""

    route: str
    line: int


Why = Literal["off", "access", "issuer", "choice", "capability", "breaker"]
"""Why a target is left out: its provider has no key; the caller may not use it; only another can know what the request
holds; the caller asks for others; it does nothing of that kind; it is not well."""


@dataclass(frozen=True, slots=True)
class Reason:
    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class ExplainedTarget:
    """share_percent: of the group's traffic, None where it is not fixed or the target is off. off: the reason.

    kept: nothing speaks against it. reasons: all that does, as far as was asked. dropped: fields of the request that it
    could not take.
    """

    provider: str
    model: str
    share_percent: float | None
    off: str | None
    kept: bool = True
    reasons: tuple[Reason, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExplainedGroup:
    """One link of the chain. place: the route in which it is written. on: see settings.Group; empty is never."""

    place: Place
    balance: Balance
    on: tuple[FallbackCondition, ...] | None
    targets: tuple[ExplainedTarget, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """place, glob, affinity, timeouts, retry: None where no route matches; then `near` has names that look alike.

    passed: the routes that stand before the matching one and do not match; all, if none does.
    bound: what the request is bound by, a sentence each; nothing where only a model was asked about.
    in_the_end: what the caller gets when nothing is left to try.
    """

    model: str
    file: str | None
    place: Place | None
    glob: str | None
    captures: tuple[str, ...]
    passed: tuple[Place, ...]
    groups: tuple[ExplainedGroup, ...]
    affinity: Affinity | None
    retry: Retry | None
    timeouts: Timeouts | None
    in_the_end: str
    near: tuple[str, ...]
    bound: tuple[str, ...] = ()


def explain(
    table: Table,
    model: str,
    *,
    after: Sequence[str] = (),
    issuers: Issuers | None = None,
    bindings: Sequence[Binding] = (),
) -> Explanation:
    """after: models that a whole request wants asked after the first. bindings: of it, found by its dialect's reader;
    issuers: who they may be of."""
    match = table.whole(model)
    if match is None:
        return _unmatched(table, model)
    others = filter(None, map(table.whole, after))
    match = replace(match, groups=(*match.groups, *(group for other in others for group in other.groups)))
    routes, refusal, off = table.settings.routes, None, _switched_off(table)
    if issuers is not None and bindings:
        match, refusal = _bound(match, off, issuers, bindings)
        off |= _barred(match, off, issuers, bindings) if refusal is None else {}
    groups = tuple(_group(group, table, off) for group in match.groups)
    return Explanation(
        model=model,
        file=table.settings.path,
        place=_place(match.route),
        glob=match.glob,
        captures=match.captures,
        passed=tuple(_place(route) for route in routes[: routes.index(match.route)]),
        groups=groups,
        affinity=match.route.affinity,
        retry=match.route.retry,
        timeouts=match.route.timeouts,
        in_the_end=refusal or _end(groups),
        near=(),
        bound=tuple(f"`{each.path}`: {_HOLDS[each.hold]}" for each in bindings),
    )


def as_json(explanation: Explanation) -> str:
    return json.dumps(asdict(explanation), indent=2, ensure_ascii=False)


def render_text(explanation: Explanation) -> str:
    """For a terminal of 100 columns; only names that are longer themselves are wider."""
    lines = [*_head(explanation), *_chain(explanation), *_foot(explanation)]
    return "\n".join("".join(char if char.isprintable() else "�" for char in line) for line in lines)


# the value


def _unmatched(table: Table, model: str) -> Explanation:
    return Explanation(
        model=model,
        file=table.settings.path,
        place=None,
        glob=None,
        captures=(),
        passed=tuple(_place(route) for route in table.settings.routes),
        groups=(),
        affinity=None,
        retry=None,
        timeouts=None,
        in_the_end="404 model_not_found",
        near=tuple(table.near(model, lambda _: True)),
    )


def _place(route: Route) -> Place:
    return Place(route.name, route.line)


def _switched_off(table: Table) -> dict[str, Reason]:
    """Why, by the provider's name."""
    providers = table.settings.providers.items()
    return {name: Reason("off", provider.off) for name, provider in providers if provider.off is not None}


def _bound(
    match: Match, off: Mapping[str, Reason], issuers: Issuers, bindings: Sequence[Binding]
) -> tuple[Match, str | None]:
    """The match in the order that the request's seals ask for, and what the caller is told if nobody is left."""
    on = (replace(each, targets=tuple(t for t in each.targets if t.provider not in off)) for each in match.groups)
    try:
        issuers.bound(replace(match, groups=tuple(on)), bindings)
    except InvalidRequest as error:
        return match, f"{error.status} {error.code}: {error.message}"
    return issuers.bound(match, [each for each in bindings if each.hold == "preference"]), None


def _barred(
    match: Match, off: Mapping[str, Reason], issuers: Issuers, bindings: Sequence[Binding]
) -> dict[str, Reason]:
    """Those that the request is not for, and why."""
    providers = [t.provider for group in match.groups for t in group.targets if t.provider not in off]
    return {
        name: Reason("issuer", f"not for `{each.path}`")
        for each in reversed(bindings)
        if each.hold != "preference"
        for name in providers
        if name not in issuers.candidates(providers, each)
    }


def _group(group: ResolvedGroup, table: Table, off: Mapping[str, Reason]) -> ExplainedGroup:
    weight_on = sum(target.weight for target in group.targets if target.provider not in off)
    written_in = next(route for route in table.settings.routes if route.name == group.targets[0].route)
    return ExplainedGroup(
        place=_place(written_in),
        balance=group.balance,
        on=group.on,
        targets=tuple(_target(target, group, weight_on, off.get(target.provider)) for target in group.targets),
    )


def _target(target: ResolvedTarget, group: ResolvedGroup, weight_on: int, off: Reason | None) -> ExplainedTarget:
    is_shared = off is None and (group.balance == "weighted" or weight_on == target.weight)
    share = round(100 * target.weight / weight_on, 2) if is_shared else None
    reasons, detail = ((off,), off.detail) if off else ((), None)
    return ExplainedTarget(target.provider, target.model, share, detail, kept=off is None, reasons=reasons)


def _end(groups: tuple[ExplainedGroup, ...]) -> str:
    if all(target.off for group in groups for target in group.targets):
        return "503 no_healthy_upstream: every target is off"
    return "the last attempt's error, or 503 no_healthy_upstream if nothing could be tried"


# the text


def _head(it: Explanation) -> Iterator[str]:
    yield f"{'model':{_LABEL}}{it.model}"
    if it.place is None:
        yield f"{'route':{_LABEL}}none of the {len(it.passed)} matches"
        return
    stars = ", ".join(f"{{{number}}} = {text}" for number, text in enumerate(it.captures, 1))
    yield f"{'route':{_LABEL}}{it.place.route}{_where(it.place, it.file)}"
    yield f"{'matches':{_LABEL}}{it.glob}{f'   with {stars}' if stars else ''}"
    if it.passed:
        yield from _wrapped("passed", f"{_names(it.passed)}: earlier in the file, no match")
    for sentence in it.bound:
        yield from _wrapped("bound", sentence)


def _chain(it: Explanation) -> Iterator[str]:
    targets = [target for group in it.groups for target in group.targets]
    provider = max((len(target.provider) for target in targets), default=0)
    model = max((len(target.model) for target in targets), default=0)
    for number, group in enumerate(it.groups):
        yield ""
        label = f"fallback {number}" if number else "targets"
        yield f"{label:{_LABEL}}{_about(group, it)}".rstrip()
        for target in group.targets:
            yield f"{'':{_LABEL}}  {target.provider:{provider}}  {target.model:{model}}  {_share(target, group)}"


def _about(group: ExplainedGroup, it: Explanation) -> str:
    parts = []
    on_count = sum(target.off is None for target in group.targets)
    if on_count > 1:
        parts.append(_BALANCES[group.balance][0])
    elif on_count == 0:
        parts.append("passed over, nothing in it is on")
    if group.on is not None:
        parts.append(f"only after {' or '.join(group.on)}" if group.on else "never: no condition passes all its `on`")
    if group.place != it.place:
        parts.append(f"by way of {group.place.route}{_where(group.place, None)}")
    return ", ".join(parts)


def _share(target: ExplainedTarget, group: ExplainedGroup) -> str:
    if target.off is not None:
        return f"off: {target.off}"
    if target.reasons:
        return "left out: " + "; ".join(f"{each.why}: {each.detail}" for each in target.reasons)
    return _fixed_share(target, group) + (f"   without {', '.join(target.dropped)}" if target.dropped else "")


def _fixed_share(target: ExplainedTarget, group: ExplainedGroup) -> str:
    return f"{target.share_percent:.4g} %" if target.share_percent is not None else _BALANCES[group.balance][1]


def _foot(it: Explanation) -> Iterator[str]:
    yield ""
    if it.affinity is not None:
        yield from _wrapped("affinity", f"{_AFFINITIES[it.affinity]} while it is well")
    if it.retry is not None and it.timeouts is not None:
        yield (
            f"{'limits':{_LABEL}}{it.retry.attempts} attempts, {it.retry.per_target} at one target, "
            f"{it.timeouts.first_byte_s:g} s to the first byte, {it.timeouts.total_s:g} s in all"
        )
    yield from _wrapped("in the end", it.in_the_end)
    if it.near:
        yield from _wrapped("near", ", ".join(it.near))


def _where(place: Place, file: str | None) -> str:
    if not place.line:
        return ""
    return f"   {PurePath(file).name}:{place.line}" if file else f" (line {place.line})"


def _names(places: tuple[Place, ...]) -> str:
    named = ", ".join(place.route for place in places[:_ROUTES_NAMED])
    more = len(places) - _ROUTES_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _wrapped(label: str, words: str) -> list[str]:
    return textwrap.wrap(
        words,
        _COLUMNS,
        initial_indent=f"{label:{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
