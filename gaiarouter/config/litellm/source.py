"""LiteLLM's file, with those that it includes: values, where each stands, and what comes from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from gaiarouter.config.litellm.report import Mark
from gaiarouter.config.problems import Path

_FROM_ENVIRONMENT: Final = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
"""The NAME of `${NAME}` and `${NAME:-}`, as our file writes it."""
_MAX_BYTES: Final = 4 * 1024**2
_MAX_NODES: Final = 100_000


class UnreadableError(Exception):
    """The file is no LiteLLM configuration, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the file says; `values` is a mapping of sections."""

    values: Mapping[str, Any]
    marks: Mapping[Path, Mark]


@dataclass(slots=True)
class _Reading:
    values: dict[str, Any] = field(default_factory=dict)
    marks: dict[Path, Mark] = field(default_factory=dict)


def read(path: FilePath) -> Source:
    """Raises UnreadableError, or OSError."""
    reading = _Reading()
    _take(path, reading, included=False)
    if not isinstance(reading.values.get("model_list", []), list):
        raise UnreadableError("model_list: expected a list of deployments")
    return Source(reading.values, reading.marks)


def _take(path: FilePath, reading: _Reading, *, included: bool) -> None:
    node, values = _parse(path)
    moved = 0 if not included else len(reading.values.get("model_list") or ())
    for at, mark in _marks(node, str(path)):
        shifted = (at[0], moved + at[1], *at[2:]) if moved and len(at) > 1 and isinstance(at[1], int) else at
        reading.marks.setdefault(shifted, mark)
    for section, value in values.items():
        known = reading.values.get(section)
        if isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        elif isinstance(known, dict) and isinstance(value, dict):
            known.update(value)
        else:
            reading.values[str(section)] = value
    for name in list_of(values.get("include")) if not included else ():
        _take(path.parent / str(name), reading, included=True)


def _parse(path: FilePath) -> tuple[yaml.Node, Mapping[str, Any]]:
    raw = path.read_bytes()
    if len(raw) > _MAX_BYTES:
        raise UnreadableError(f"{path.name}: more than {_MAX_BYTES} bytes")
    try:
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
        values = yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from error
    if node is None or not isinstance(values, dict):
        raise UnreadableError(f"{path.name}: expected sections such as model_list")
    return node, values


def _marks(node: yaml.Node, file: str) -> Iterator[tuple[Path, Mark]]:
    waiting: list[tuple[Path, yaml.Node]] = [((), node)]
    seen = 0
    while waiting:
        path, node = waiting.pop()
        seen += 1
        if seen > _MAX_NODES:
            raise UnreadableError(f"aliases stand for more than {_MAX_NODES} values")
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                at = (*path, str(key.value))
                yield at, Mark(file, key.start_mark.line + 1, key.start_mark.column + 1)
                waiting.append((at, value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield (*path, index), Mark(file, value.start_mark.line + 1, value.start_mark.column + 1)
                waiting.append(((*path, index), value))


def mapping_of(value: object) -> dict[str, Any]:
    """The value, or nothing where it is something else."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value, or nothing where it is something else."""
    return value if isinstance(value, list) else []


def variable(value: object) -> str | None:
    """The NAME of `os.environ/NAME`."""
    found = _FROM_ENVIRONMENT.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def text_of(value: object, *, may_miss: bool = False) -> str:
    """A value as our file writes it. may_miss: a variable that is not set is no mistake, but an empty text."""
    if name := variable(value):
        return f"${{{name}:-}}" if may_miss else f"${{{name}}}"
    return str(value).replace("$", "$$")


def number_of(value: object) -> float | None:
    """A number that is not negative; LiteLLM takes it as text too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def duration_of(seconds: float) -> str:
    """As our file writes it: 600 is `10m`, 0.5 is `500ms`. Never nothing: a wait is at least a millisecond."""
    milliseconds = max(round(seconds * 1000), 1)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
