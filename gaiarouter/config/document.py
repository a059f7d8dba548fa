"""YAML text becomes plain data, with the place of every value.

The rules: YAML 1.2's core meaning of plain words (only `true` and `false` are booleans; `no`, `12:30` and `2026-01-01`
are text), keys are text, no tags, no merge keys, every key once, and nothing that grows when it is read.
The parser's events are read one by one, so that a hostile file is refused before it costs memory or stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from gaiarouter.config.problems import Findings, Path, Place, Problem, clip, render_path

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_ALIASED_NODES = 10_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TRAPS = {
    "tag:yaml.org,2002:bool": "some YAML readers take it for a boolean: write true or false, or quote it",
    "tag:yaml.org,2002:int": "some YAML readers take it for a number: write plain decimal digits, or quote it",
    "tag:yaml.org,2002:float": "some YAML readers take it for a number: write plain decimal digits, or quote it",
    "tag:yaml.org,2002:timestamp": "some YAML readers take it for a date: quote it",
}


@dataclass(frozen=True, slots=True)
class Document:
    """data: None, bool, int, float, str, list and dict with text keys. traps: what YAML 1.1 would read otherwise.

    refused: paths whose values were reported and mean nothing.
    """

    data: Any
    places: dict[Path, Place] = field(default_factory=dict)
    traps: dict[Path, str] = field(default_factory=dict)
    refused: set[Path] = field(default_factory=set)


class _RefusedError(Exception):
    """Reading on makes no sense, or would be dangerous."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an alias stands for: `size` in nodes, `depth` in levels."""

    value: Any
    size: int
    depth: int


def read(text: str, findings: Findings) -> Document | None:
    """Reads one document; None where it cannot be read at all. Problems go to `findings`."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        findings.add(Problem(findings.file, 0, 0, "", "the file is larger than 1 MiB"))
        return None
    reader = _Reader(text, findings)
    try:
        return reader.read()
    except _RefusedError as refused:
        findings.add(refused.problem)
        return None


def plain_value(text: str) -> Any:
    """The value of a plain scalar; raises OverflowError for a number beyond 64 bits."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _DECIMAL.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text):
        # int() refuses thousands of digits with an error of its own
        if len(text) > 20 or not -(2**63) <= int(text, 0) < 2**64:
            raise OverflowError
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise OverflowError
        return number
    return text


class _Reader:
    """Turns the parser's events into data. One instance reads one text."""

    def __init__(self, text: str, findings: Findings) -> None:
        self._lines = text.splitlines()
        self._file = findings.file
        self._findings = findings
        self._events = self._parse(text)
        self._resolver = yaml.resolver.Resolver()
        self._places: dict[Path, Place] = {}
        self._traps: dict[Path, str] = {}
        self._refused: set[Path] = set()
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._aliased = 0
        self._deepest = 0

    def read(self) -> Document:
        data: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, (), "a second document starts here, expected one")
            elif isinstance(event, yaml.NodeEvent):
                self._places[()] = _place(event, event)
                data = self._node(event, (), 1)
        return Document(data, self._places, self._traps, self._refused)

    def _parse(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise _RefusedError(Problem(self._file, line, column, "", self._explain(error, line))) from error
        except (yaml.YAMLError, UnicodeError) as error:
            message = "not YAML: a character that may not stand in it"
            raise _RefusedError(Problem(self._file, 1, 1, "", message)) from error

    def _explain(self, error: yaml.MarkedYAMLError, line: int) -> str:
        said = " ".join(part for part in (error.context, error.problem) if part)
        near = self._lines[line - 1] if line <= len(self._lines) else ""
        if re.search(r"[\s\[{,:]\$\{", near):
            return f'not YAML: {said}; write "${{NAME}}" in quotes'
        if "\t" in near:
            return f"not YAML: {said}; indent with spaces, not tabs"
        return f"not YAML: {said}"

    def _node(self, event: Any, path: Path, depth: int) -> Any:
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            self._refuse(event, path, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, depth)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(event, path, f"more than {MAX_NODES} values in one file")
        if event.tag is not None:
            self._refused.add(path)
            self._error(event, path, f"the tag {clip(event.tag)!r} is not allowed here; write plain values")
        if event.anchor is None:
            return self._untagged(event, path, depth)
        return self._anchored(event, path, depth)

    def _untagged(self, event: Any, path: Path, depth: int) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._scalar(event, path)

    def _anchored(self, event: Any, path: Path, depth: int) -> Any:
        nodes, deepest = self._nodes + self._aliased, self._deepest
        self._deepest = depth
        value = self._untagged(event, path, depth)
        size = self._nodes + self._aliased - nodes + 1
        # known only from here on: an alias inside itself finds nothing
        self._anchors[event.anchor] = _Anchored(value, size, self._deepest - depth)
        self._deepest = max(deepest, self._deepest)
        return value

    def _alias(self, event: Any, path: Path, depth: int) -> Any:
        target = self._anchors.get(event.anchor)
        if target is None:
            self._refuse(event, path, f"the alias *{clip(event.anchor)} has no anchor before it")
        self._aliased += target.size
        if self._aliased > MAX_ALIASED_NODES:
            self._refuse(event, path, f"aliases expand to more than {MAX_ALIASED_NODES} values")
        if depth + target.depth > MAX_DEPTH:
            self._refuse(event, path, f"nested deeper than {MAX_DEPTH} levels")
        self._deepest = max(self._deepest, depth + target.depth)
        return target.value

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_event in self._events:
            if isinstance(key_event, yaml.MappingEndEvent):
                break
            key = self._key(key_event, path)
            event = next(self._events)
            at = (*path, key)
            if key in mapping:
                first = self._places[at].key_line
                self._error(key_event, at, f"given twice; first on line {first}")
            else:
                self._places[at] = _place(event, key_event)
            mapping[key] = self._node(event, at, depth + 1)
        return mapping

    def _key(self, event: Any, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, path, "a key must be plain text, not a list, a mapping or an alias")
        if event.tag is not None:
            self._error(event, path, f"the tag {clip(event.tag)!r} is not allowed here; write plain keys")
        if event.value == "<<" and event.implicit[0]:
            self._refuse(event, path, "merge keys (<<) are not read; give common settings in `defaults`")
        return str(event.value)

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            at = (*path, len(items))
            self._places[at] = _place(event, event)
            items.append(self._node(event, at, depth + 1))
        return items

    def _scalar(self, event: Any, path: Path) -> Any:
        if not event.implicit[0]:
            return event.value
        try:
            value = plain_value(event.value)
        except OverflowError:
            self._refused.add(path)
            self._error(event, path, f"the number {clip(event.value, 24)} is too large")
            return 0
        if isinstance(value, str):
            # PyYAML's resolver is YAML 1.1: what it does not call text is a trap
            tag = self._resolver.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]  # PyYAML
            trap = _TRAPS.get(tag)
            if trap is not None:
                self._traps[path] = trap
        return value

    def _error(self, event: Any, path: Path, message: str) -> None:
        self._findings.add(self._problem(event, path, message))

    def _refuse(self, event: Any, path: Path, message: str) -> NoReturn:
        raise _RefusedError(self._problem(event, path, message))

    def _problem(self, event: Any, path: Path, message: str) -> Problem:
        mark = event.start_mark
        return Problem(self._file, mark.line + 1, mark.column + 1, render_path(path), message)


def _place(event: Any, key_event: Any) -> Place:
    mark, key = event.start_mark, key_event.start_mark
    return Place(mark.line + 1, mark.column + 1, key.line + 1, key.column + 1)
