"""A few kills in the suite; the two hundred are `python -m tests.kills.killing 200`."""

from __future__ import annotations

from pathlib import Path

from gaiarouter.config.secret import Secret
from tests.kills.killing import kill_workers
from tests.store.conftest import postgres, url

__all__ = ["postgres", "url"]


async def test_no_request_is_lost_or_doubled_when_workers_are_killed_under_load(url: Secret, tmp_path: Path) -> None:
    counts, books = await kill_workers(2, seed=7, folder=tmp_path, store=url.reveal())
    assert counts.kills == 2
    assert len(counts.whole) > 20
    assert len(counts.seen) > len(counts.whole)
    assert (books.lost(counts), books.twice()) == ([], [])
    assert books.summed == books.rows.total()
    assert "interrupted" in books.outcomes.values()
