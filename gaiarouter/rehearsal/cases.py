"""A file of routing tests becomes frozen values; every mistake in it is told at once, with its place.

Times are seconds. An outcome is one of WORDS or a status from 400 to 599.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from gaiarouter.config.document import read
from gaiarouter.config.expand import Expanded
from gaiarouter.config.loader import read_text
from gaiarouter.config.problems import Findings, Path, Problem, clip
from gaiarouter.config.structure import check_structure, nearest, without
from gaiarouter.config.units import parse_duration, parse_share

WORDS: Final = (
    *("ok", "timeout", "connect_timeout", "refused", "reset", "malformed", "interrupted"),
    *("context_length", "content_policy"),
)
_MEMBERS: Final = ("outcome", "after", "retry_after")
_MANY_SHARES: Final = 20
"""Shares of fewer requests say nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider does. after_s: how long it takes. retry_after_s: what it asks for, in a header."""

    word: str = "ok"
    after_s: float = 0.0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectedAttempt:
    """target: a provider, or `provider/model`. outcome: None is whatever."""

    target: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """said: the names of what is expected; the others may be anything."""

    said: frozenset[str]
    route: str | None = None
    status: int = 200
    error: str | None = None
    served_by: str | None = None
    attempts: tuple[ExpectedAttempt, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """One test. key_models: None is all. line: where it stands."""

    name: str
    model: str
    expect: Expectation
    line: int = 0
    dialect: str = "chat"
    stream: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key_name: str = "test"
    key_models: tuple[str, ...] | None = None
    key_unsupported: Literal["error"] | None = None
    off: frozenset[str] = frozenset()
    outcomes: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    repeat: int = 1
    pause_s: float = 0.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Suite:
    """One file. environ: what the table's variables are. cases: empty if there are problems."""

    file: str
    environ: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    problems: tuple[Problem, ...] = ()


def schema_text() -> bytes:
    return resources.files("gaiarouter.rehearsal").joinpath("schema.json").read_bytes()


def read_suite(path: str | os.PathLike[str]) -> Suite:
    file = os.fspath(path)
    findings = Findings(file)
    text = read_text(FilePath(path), findings)
    document = read(text, findings) if text is not None else None
    if document is None:
        return Suite(file, problems=findings.sorted())
    findings = Findings(file, document.places, findings.sorted())
    if not isinstance(document.data, dict):
        findings.error((), "found no mapping at the top, expected `tests`")
        return Suite(file, problems=findings.sorted())
    unusable = check_structure(Expanded(document.data), document.refused, findings, schema=schema_text())
    data = without(document.data, unusable)
    cases = tuple(_cases(data.get("tests") or (), findings))
    if problems := findings.sorted():
        return Suite(file, problems=problems)
    return Suite(file, data.get("environ", {}), cases)


def check_names(suite: Suite, providers: Iterable[str]) -> tuple[Problem, ...]:
    """What a test says of providers that the table does not have."""
    text = read_text(FilePath(suite.file), Findings(suite.file)) or ""
    document = read(text, Findings(suite.file))
    findings, known = Findings(suite.file, document.places if document else {}), tuple(providers)
    for index, case in enumerate(suite.cases):
        expected: Path = ("tests", index, "expect")
        named: list[tuple[Path, str, bool]]
        named = [(("tests", index, "outcomes", name), name, True) for name in case.outcomes]
        named += [(("tests", index, "off"), name, False) for name in case.off]
        named += [((*expected, "attempts", at), each.target, False) for at, each in enumerate(case.expect.attempts)]
        named += [((*expected, "shares", name), name, True) for name in case.expect.shares]
        if case.expect.served_by is not None:
            named.append(((*expected, "served_by"), case.expect.served_by, False))
        for path, name, at_key in named:
            provider = name.partition("/")[0]
            if provider not in known:
                found = nearest(provider, known) or f"; the table has {', '.join(known) or 'none'}"
                findings.error(path, f"unknown provider {clip(provider)!r}{found}", at_key=at_key)
    return findings.sorted()


def _cases(tests: Sequence[Any], findings: Findings) -> Iterator[Case]:
    names: set[str] = set()
    for index, given in enumerate(tests):
        if not isinstance(given, dict):
            continue
        path: Path = ("tests", index)
        name = given.get("name", "")
        if name in names:
            findings.error((*path, "name"), f"another test has the name {clip(name)!r}")
        names.add(name)
        yield _case(given, name, path, findings)


def _case(given: Mapping[str, Any], name: str, path: Path, findings: Findings) -> Case:
    key = given.get("key") or {}
    case = Case(
        name=name,
        model=given.get("model", ""),
        expect=_expectation(given.get("expect") or {}, (*path, "expect"), findings),
        line=findings.line(path),
        dialect=given.get("dialect", "chat"),
        stream=given.get("stream", False),
        body=given.get("body") or {},
        headers=given.get("headers") or {},
        key_name=key.get("name", "test"),
        key_models=tuple(key["models"]) if "models" in key else None,
        key_unsupported=key.get("unsupported"),
        off=frozenset(given.get("off") or ()),
        outcomes={
            target: _outcomes(value, (*path, "outcomes", target), findings)
            for target, value in (given.get("outcomes") or {}).items()
        },
        repeat=given.get("repeat", 1),
        pause_s=parse_duration(given["pause"]) if given.get("pause") else 0.0,
        seed=given.get("seed", 1),
    )
    if case.expect.shares and case.repeat < _MANY_SHARES:
        at = (*path, "expect", "shares")
        findings.error(at, f"shares of {case.repeat} requests say nothing; give the test `repeat: 1000`", at_key=True)
    return case


def _expectation(given: Mapping[str, Any], path: Path, findings: Findings) -> Expectation:
    attempts = (
        _attempt(each, (*path, "attempts", at), findings) for at, each in enumerate(given.get("attempts") or ())
    )
    return Expectation(
        said=frozenset(given),
        route=given.get("route"),
        status=given.get("status", 200),
        error=given.get("error"),
        served_by=given.get("served_by"),
        attempts=tuple(attempts),
        shares={name: parse_share(text) for name, text in (given.get("shares") or {}).items() if text},
        headers={name.lower(): value for name, value in (given.get("headers") or {}).items()},
        dropped=tuple(given.get("dropped") or ()),
        within_s=parse_duration(given["within"]) if given.get("within") else 0.0,
    )


def _attempt(given: Any, path: Path, findings: Findings) -> ExpectedAttempt:
    if isinstance(given, str):
        return ExpectedAttempt(given)
    if isinstance(given, dict) and len(given) == 1:
        (target, outcome), *_ = given.items()
        return ExpectedAttempt(target, _word(outcome, (*path, target), findings))
    findings.error(path, "found several things, expected one target with what came of it, as `demo: 503`")
    return ExpectedAttempt("")


def _outcomes(given: Any, path: Path, findings: Findings) -> tuple[Outcome, ...]:
    if isinstance(given, list):
        return tuple(_outcome(each, (*path, at), findings) for at, each in enumerate(given))
    return (_outcome(given, path, findings),)


def _outcome(given: Any, path: Path, findings: Findings) -> Outcome:
    if not isinstance(given, dict):
        return Outcome(_word(given, path, findings))
    for name in given:
        if name not in _MEMBERS:
            near = nearest(name, _MEMBERS) or f"; expected one of {', '.join(_MEMBERS)}"
            findings.error((*path, name), f"unknown key{near}", at_key=True)
    return Outcome(
        _word(given.get("outcome", "ok"), (*path, "outcome"), findings),
        _seconds(given, "after", path, findings) or 0.0,
        _seconds(given, "retry_after", path, findings),
    )


def _seconds(given: Mapping[str, Any], name: str, path: Path, findings: Findings) -> float | None:
    if name not in given:
        return None
    try:
        return parse_duration(str(given[name]))
    except ValueError:
        found = clip(str(given[name]))
        findings.error((*path, name), f"found {found!r}, expected a duration such as 250ms, 5s, 15m or 1h")
        return None


def _word(given: Any, path: Path, findings: Findings) -> str:
    text = str(given)
    if text in WORDS or re.fullmatch("[45][0-9]{2}", text):
        return text
    near = nearest(text, WORDS) or f", expected one of {', '.join(WORDS)}, or a status from 400 to 599"
    findings.error(path, f"found {clip(text)!r}{near}")
    return "ok"
