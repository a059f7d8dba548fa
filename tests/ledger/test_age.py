"""How long usage waits for the store: what an operator is woken by."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from gaiarouter.ledger.journal import Journal
from gaiarouter.ledger.writer import Ledger, Pace
from gaiarouter.store.sql import Database, SqlStore
from gaiarouter.telemetry import Metrics
from tests.store.line import Line, until
from tests.store.test_store import RECORD


async def test_metrics_tell_how_long_the_oldest_record_has_waited(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since its request ended. Those in memory alone count too, and what is read back from the disk."""
    line, metrics = Line(database), Metrics()
    now = [RECORD.time_us + RECORD.duration_us + 7_000_000]
    pace = Pace(batch=5000, linger_s=0.001, retry_s=0.001, max_retry_s=0.004)
    ledger = Ledger(SqlStore(line), Journal(tmp_path / "ledger"), metrics=metrics, pace=pace, wall_us=lambda: now[0])
    ledger.start()

    def age() -> float | None:
        return metrics.registry.get_sample_value("gaiarouter_ledger_oldest_seconds")

    assert age() == 0
    line.is_cut = True
    first, second, *more = (
        structs.replace(RECORD, id=f"req_{number}", duration_us=RECORD.duration_us + 2_000_000 * number)
        for number in range(10_010)
    )
    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", _no_space)
        ledger.record(second)
    assert age() == 5
    ledger.record(first)
    assert age() == 7
    for record in more:
        ledger.record(record)
    await until(lambda: line.attempts > 3)
    now[0] += 100_000_000
    assert age() == 107
    line.is_cut = False
    await until(lambda: ledger.pending == 0)
    assert age() == 0
    await ledger.close()


def _no_space(descriptor: int, data: bytes, at: int) -> int:
    raise OSError("no space")
