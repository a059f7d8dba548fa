"""A few kills in the suite; the two hundred are `python -m tests.kills.killing 200`."""

from __future__ import annotations

from pathlib import Path

from tests.kills.killing import kill_workers


async def test_no_request_is_lost_or_doubled_when_workers_are_killed_under_load(tmp_path: Path) -> None:
    counts, books = await kill_workers(3, seed=7, folder=tmp_path)
    assert counts.kills == 3
    assert len(counts.whole) > 20
    assert len(counts.seen) > len(counts.whole)
    assert (books.lost(counts), books.twice()) == ([], [])
    assert "interrupted" in books.outcomes.values()
