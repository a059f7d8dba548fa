from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.server.memory import CALM_LOOKS, Memory, container_limit, resident_bytes


class Doors:
    short_of_memory = False


class Process:
    """A process of 1000 bytes at most, that takes what it is told."""

    def __init__(self) -> None:
        self.taken = 0
        self.doors = Doors()
        self.closed = 0
        self.memory = Memory(1000, self.doors, self._close, lambda: self.taken)

    def _close(self) -> None:
        self.closed += 1

    def looks(self, taken: int, times: int = 1) -> bool:
        self.taken = taken
        for _ in range(times):
            self.memory.look()
        return self.doors.short_of_memory


def test_p8_at_85_percent_it_is_short_and_after_a_calm_while_no_more() -> None:
    process = Process()
    assert not process.looks(849)
    assert process.looks(850)
    assert process.looks(840, CALM_LOOKS - 1)
    assert process.looks(860)
    assert process.looks(840, CALM_LOOKS - 1)
    assert not process.looks(840)
    assert process.closed == 0


def test_p8_at_95_percent_idle_connections_are_closed() -> None:
    process = Process()
    process.looks(949)
    assert process.closed == 0
    process.looks(950, 2)
    assert process.closed == 2


@pytest.mark.parametrize(
    ("texts", "limit"),
    [
        (["268435456\n"], 268435456),
        (["max\n"], None),
        ([None, "134217728\n"], 134217728),
        ([None, "9223372036854771712\n"], None),
        ([None, None], None),
        (["max\n", "1000\n"], 1000),
    ],
)
def test_the_containers_limit_is_read_where_it_stands(
    tmp_path: Path, texts: list[str | None], limit: int | None
) -> None:
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / str(number))
        if text is not None:
            files[-1].write_text(text)
    assert container_limit(tuple(files)) == limit


def test_what_is_taken_grows_with_what_is_kept() -> None:
    before = resident_bytes()
    kept = b"x" * 30_000_000
    assert resident_bytes() - before > 20_000_000
    assert len(kept) == 30_000_000
