"""`gaiarouter test`: finds the files, plays them, reports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gaiarouter.config.loader import Loaded
from gaiarouter.config.problems import Problem
from gaiarouter.rehearsal.cases import Suite, check_names, read_suite
from gaiarouter.rehearsal.play import play
from gaiarouter.rehearsal.report import Played
from gaiarouter.rehearsal.verdict import differences

Load = Callable[[Mapping[str, str]], Loaded]
"""Reads the table with these variables in the environment."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """problems: of the tests' files and of the table; then nothing of that file was played."""

    played: tuple[Played, ...]
    problems: tuple[Problem, ...]


def test_files_of(table: str | os.PathLike[str]) -> list[Path]:
    """For `a.yaml` the files `a.test.yaml` and `a.*.test.yaml`, beside it and in the folder `config` beside it."""
    path = Path(table)
    folders = [path.parent, path.parent / "config"]
    patterns = [f"{path.stem}.test.yaml", f"{path.stem}.*.test.yaml"]
    return [found for folder in folders for pattern in patterns for found in sorted(folder.glob(pattern))]


def rehearse(files: Sequence[str | os.PathLike[str]], load: Load) -> Rehearsed:
    played: list[Played] = []
    problems: list[Problem] = []
    for file in files:
        suite = read_suite(file)
        found = suite.problems or _play_all(suite, load(suite.environ), played)
        problems += found
    return Rehearsed(tuple(played), tuple(problems))


def _play_all(suite: Suite, table: Loaded, played: list[Played]) -> tuple[Problem, ...]:
    """Returns why nothing was played."""
    if table.settings is None:
        return table.errors
    if problems := check_names(suite, table.settings.providers):
        return problems
    for case in suite.cases:
        began = time.perf_counter()
        happened = play(case, table.settings)
        took = time.perf_counter() - began
        played.append(Played(suite.file, case, happened, differences(case, happened), took))
    return ()
