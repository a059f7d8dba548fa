"""What is wrong with a configuration: each finding with its place in the file, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and where the key before it does; lines and columns count from 1."""

    line: int
    column: int
    key_line: int
    key_column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `line` is 0 where there is no place: a mapping in memory, a file that cannot be read."""

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = f"{place}: {self.path}" if self.path else place
        return f"{where}: {self.message}" + (" (warning)" if self.severity == "warning" else "")


class ConfigError(Exception):
    """The configuration has errors; `problems` holds them, and the warnings beside them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        return (ConfigError, (self.problems,))


class Findings:
    """Collects the problems of one file while it is read and checked."""

    def __init__(self, file: str, places: Mapping[Path, Place] | None = None, found: Iterable[Problem] = ()) -> None:
        self.file = file
        self._places = places or {}
        self._problems = list(found)

    def error(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self._add(path, message, "error", at_key=at_key)

    def warning(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self._add(path, message, "warning", at_key=at_key)

    def add(self, problem: Problem) -> None:
        self._problems.append(problem)

    def line(self, path: Path) -> int:
        place = self._nearest(path)
        return place.line if place else 0

    def sorted(self) -> tuple[Problem, ...]:
        """Every problem once, in the order of the file."""
        unique = dict.fromkeys(self._problems)
        return tuple(sorted(unique, key=lambda found: (found.file != self.file, found.line, found.column)))

    def _add(self, path: Path, message: str, severity: Literal["error", "warning"], *, at_key: bool) -> None:
        place = self._nearest(path)
        line, column = 0, 0
        if place:
            line, column = (place.key_line, place.key_column) if at_key else (place.line, place.column)
        self._problems.append(Problem(self.file, line, column, render_path(path), message, severity))

    def _nearest(self, path: Path) -> Place | None:
        # what an alias stands for has no place of its own: the alias has
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path)


def render_path(path: Path) -> str:
    """`("routes", 2, "match")` as `routes[2].match`; an odd key as `providers["my.name"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not _PLAIN_KEY.fullmatch(step):
            text += f'["{clip(step)}"]'
        else:
            text += f".{step}" if text else step
    return text


def clip(text: str, limit: int = 64) -> str:
    """Text fit for one line of a message."""
    shown = text if len(text) <= limit else text[:limit] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)
