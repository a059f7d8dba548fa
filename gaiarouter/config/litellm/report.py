"""What an import could not take as it stood, each with its place in the file that was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gaiarouter.config.problems import Path, clip, render_path

Kind = Literal["differs", "left out"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Note:
    """differs: it came along in another shape, or needs a step by hand; left out: it has no counterpart here."""

    kind: Kind
    place: str
    path: str
    sentence: str


def lines(notes: Iterable[Note]) -> Iterator[str]:
    """A line for each thing to say, at the first place of which it is true."""
    same: dict[tuple[Kind, str, str], list[Note]] = {}
    for note in notes:
        same.setdefault((note.kind, note.path.rpartition(".")[2], note.sentence), []).append(note)
    for (kind, _, sentence), (first, *others) in same.items():
        more = f", and at {len(others)} more" if others else ""
        yield f"{first.place}: {first.path}{more}: {sentence}" + (" (left out)" if kind == "left out" else "")


@dataclass(slots=True)
class Report:
    file: str
    marks: Mapping[Path, Mark]
    _notes: dict[tuple[Mark, Note], None] = field(default_factory=dict)

    def differs(self, path: Path, sentence: str) -> None:
        self._add("differs", path, sentence)

    def left_out(self, path: Path, sentence: str) -> None:
        self._add("left out", path, sentence)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Each once, in the order of the file."""
        return tuple(note for _, note in sorted(self._notes, key=lambda noted: (noted[0].line, noted[0].column)))

    def _add(self, kind: Kind, path: Path, sentence: str) -> None:
        near = path
        while near and near not in self.marks:
            near = near[:-1]
        mark = self.marks.get(near, Mark(self.file, 1, 1))
        place = f"{mark.file}:{mark.line}:{mark.column}"
        self._notes[mark, Note(kind, place, clip(render_path(path), 200) or "the file", sentence)] = None
