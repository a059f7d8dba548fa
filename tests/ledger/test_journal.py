"""The journal: what is written down outlives its process, whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from itertools import islice
from pathlib import Path

import pytest
from msgspec import structs

from gaiarouter.ledger.abandoned import Abandoned, abandoned
from gaiarouter.ledger.journal import Journal
from gaiarouter.ledger.lines import Begun, read_lines, write_line
from gaiarouter.ledger.segment import HEAD_BYTES, Segment
from gaiarouter.store.base import StorageUnavailable, UsageRecord
from gaiarouter.store.records import Owed
from tests.store.test_store import RECORD

NOW_US = RECORD.time_us + 5_000_000


def record(number: int) -> UsageRecord:
    return structs.replace(RECORD, id=f"req_{number}")


def begun(number: int) -> Begun:
    return Begun(f"req_{number}", f"x_{number}", RECORD.time_us, "key_1", "org_1", "r", "m", True, 12)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "ledger", segment_bytes=2_000)
    journal.open()
    return journal


def die(journal: Journal) -> None:
    """Its process is gone: nothing is closed in order, but the kernel takes back what it held."""
    assert journal._lock is not None
    os.close(journal._lock)
    journal._lock = None


def only(found: list[Abandoned]) -> Abandoned:
    assert len(found) == 1
    return found[0]


async def replayed(folder: Path, *, batch: int = 3) -> list[UsageRecord]:
    sent: list[UsageRecord] = []

    async def send(records: list[UsageRecord]) -> None:
        assert len(records) <= batch
        sent.extend(records)

    found = only(list(abandoned(folder)))
    count = await found.replay(send, batch=batch, now_us=NOW_US)
    found.close()
    assert count == len(sent)
    assert files(folder) == []
    return sent


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize(
    "entry",
    [
        RECORD,
        begun(1),
        structs.replace(RECORD, owed=(Owed("key_1", 5), Owed("org_1", 0))),
        structs.replace(RECORD, error='a"\n\u2028ü', cost_nano_usd=None),
    ],
)
def test_a_line_is_read_as_it_was_written(entry: UsageRecord | Begun) -> None:
    line = write_line(entry)
    assert list(read_lines(line)) == [(entry, len(line))]
    assert line.count(b"\n") == 1


def test_a_line_that_anything_has_happened_to_is_none() -> None:
    line = write_line(RECORD)
    for position in range(len(line) - 1):
        changed = bytearray(line)
        changed[position] ^= 1
        lines = list(read_lines(bytes(changed)))
        assert [entry for entry, _ in lines if entry is not None] == [], position


def test_a_line_without_its_end_is_not_there_yet() -> None:
    line = write_line(RECORD)
    for length in range(len(line)):
        assert list(read_lines(line[:length])) == []


def test_a_record_is_at_most_as_long_as_the_bounds_of_the_spool_say(tmp_path: Path) -> None:
    assert len(write_line(RECORD)) < 800
    assert len(write_line(begun(1))) < 300


def test_records_come_out_in_order_over_many_segments_which_go_when_they_are_taken(journal: Journal) -> None:
    for number in range(50):
        journal.begin(begun(number))
        journal.finish(record(number))
    assert len(list(journal.folder.iterdir())) > 10
    assert journal.pending == 50
    taken: list[str] = []
    while True:
        records, end = journal.next(7)
        if not records:
            break
        journal.take(end, len(records))
        taken += [each.id for each in records]
    assert taken == [f"req_{number}" for number in range(50)]
    assert (journal.pending, journal.is_drained, len(list(journal.folder.iterdir()))) == (0, True, 2)
    assert journal.size == next(journal.folder.glob("*.journal")).stat().st_size
    journal.close()
    assert list(journal.folder.iterdir()) == []


@pytest.mark.parametrize("at_first", [5, 1_990, 2_500])
def test_records_come_out_the_same_whether_they_are_still_in_memory_or_not(tmp_path: Path, at_first: int) -> None:
    """Beyond some thousands they are read from the disk again; `die` would find the same there."""
    journal = Journal(tmp_path / "ledger", segment_bytes=200_000)
    journal.open()
    numbers = iter(range(at_first + 100))
    for _ in range(at_first):
        journal.finish(record(next(numbers)))
    taken: list[UsageRecord] = []
    while True:
        records, end = journal.next(300)
        for number in islice(numbers, 25):  # while the store takes the batch
            journal.begin(begun(number))
            journal.finish(record(number))
        if not records:
            break
        journal.take(end, len(records))
        taken += records
    assert taken == [record(number) for number in range(at_first + 100)][: len(taken)]
    assert len(taken) + journal.pending == at_first + 100 - len(list(numbers))
    die(journal)


def test_what_was_not_taken_is_offered_again(journal: Journal) -> None:
    journal.finish(record(1))
    assert journal.next(5) == journal.next(5)


async def test_what_a_closed_process_left_is_found_by_the_next(journal: Journal) -> None:
    journal.finish(record(1))
    journal.finish(record(2))
    _, end = journal.next(1)
    journal.take(end, 1)
    journal.close()
    assert [each.id for each in await replayed(journal.folder)] == ["req_2"]


async def test_a_dead_process_leaves_its_records_and_what_it_had_begun(journal: Journal) -> None:
    for number in range(8):
        journal.begin(begun(number))
    for number in range(5):
        journal.finish(record(number))
    die(journal)
    sent = await replayed(journal.folder)
    assert sent[:5] == [record(number) for number in range(5)]
    assert [each.id for each in sent[5:]] == ["req_5", "req_6", "req_7"]
    cut = sent[-1]
    assert (cut.outcome, cut.status, cut.error, cut.duration_us) == ("interrupted", 500, "process_died", 5_000_000)
    assert (cut.key, cut.organization, cut.route, cut.model_asked, cut.request_id) == (
        "key_1",
        "org_1",
        "r",
        "m",
        "x_7",
    )
    assert (cut.in_uncached, cut.estimated, cut.cost_nano_usd, cut.streamed) == (12, True, None, True)


async def test_a_request_that_runs_through_many_segments_is_not_forgotten(journal: Journal) -> None:
    journal.begin(begun(999))
    for number in range(100):
        journal.finish(record(number))
        records, end = journal.next(10)
        journal.take(end, len(records))
    journal.next(10)
    assert not any(path.name.endswith("-00000001.journal") for path in journal.folder.iterdir())
    die(journal)
    assert [each.id for each in await replayed(journal.folder)] == ["req_999"]


async def test_a_disk_that_fills_up_between_two_segments_forgets_nobody_that_runs(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next segment begins with those that run. One that could hold some of them only is none."""
    pwrite, left = os.pwrite, [0]

    def full(descriptor: int, data: bytes, at: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "no space")
        return pwrite(descriptor, data, at)

    for number in range(3):
        journal.begin(begun(number))
    while journal._segments[-1].size < 2_000:
        journal.finish(record(9))
    before = journal.size
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        for room in range(4):  # its head, and then one of three lines after the other
            left[0] = room
            with pytest.raises(OSError, match="no space"):
                journal.finish(record(8))
    assert (journal.size, len(files(journal.folder))) == (before, 2)
    journal.finish(record(7))
    while (taken := journal.next(10)) and taken[0]:
        journal.take(taken[1], len(taken[0]))
    die(journal)
    found = await replayed(journal.folder)
    assert [(each.id, each.outcome) for each in found] == [(f"req_{number}", "interrupted") for number in range(3)]


async def test_a_torn_last_line_is_left_out_and_its_request_was_interrupted(journal: Journal) -> None:
    journal.begin(begun(1))
    journal.begin(begun(2))
    journal.finish(record(1))
    journal.finish(record(2))
    die(journal)
    path = next(journal.folder.glob("*.journal"))
    os.truncate(path, path.stat().st_size - 5)
    first, second = await replayed(journal.folder)
    assert first == record(1)
    assert (second.id, second.outcome) == ("req_2", "interrupted")


async def test_a_broken_line_in_the_middle_takes_nothing_else_with_it(journal: Journal) -> None:
    for number in range(3):
        journal.finish(record(number))
    die(journal)
    path = next(journal.folder.glob("*.journal"))
    data = bytearray(path.read_bytes())
    data[data.index(b"req_1")] ^= 1
    path.write_bytes(bytes(data))
    assert [each.id for each in await replayed(journal.folder)] == ["req_0", "req_2"]


async def test_a_replay_that_the_store_does_not_take_is_done_by_the_next(journal: Journal) -> None:
    for number in range(5):
        journal.finish(record(number))
    die(journal)
    taken: list[str] = []

    async def half(records: list[UsageRecord]) -> None:
        if taken:
            raise StorageUnavailable("away")
        taken.extend(each.id for each in records)

    found = only(list(abandoned(journal.folder)))
    with pytest.raises(StorageUnavailable):
        await found.replay(half, batch=2, now_us=NOW_US)
    found.close()
    assert taken == ["req_0", "req_1"]
    assert [each.id for each in await replayed(journal.folder)] == [f"req_{number}" for number in range(5)]


async def test_segments_come_and_go_while_others_are_synced(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        going_on.wait(10)
        synced.append(os.fstat(descriptor).st_ino)
        os.close(descriptor)

    monkeypatch.setattr("gaiarouter.ledger.journal._sync", sync)
    for number in range(10):
        journal.finish(record(number))
    syncing = asyncio.create_task(journal.sync())
    await asyncio.sleep(0)
    for number in range(10, 20):
        journal.finish(record(number))
    while (batch := journal.next(5))[0]:
        journal.take(batch[1], len(batch[0]))
    left = {path.stat().st_ino for path in journal.folder.glob("*.journal")}
    going_on.set()
    await syncing
    assert len(synced) == 1  # the one it was at: the others of then are gone
    await journal.sync()
    assert set(synced[1:]) == left


def test_a_process_that_lives_keeps_its_journal(journal: Journal) -> None:
    journal.finish(record(1))
    assert list(abandoned(journal.folder)) == []


async def test_one_that_was_taken_for_dead_as_it_was_made_is_found_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of its lock and the taking of it another process may look for the dead."""
    folder = tmp_path / "ledger"
    flock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX:
            monkeypatch.setattr(fcntl, "flock", flock)
            for lock in folder.glob("*.lock"):
                lock.unlink()  # as who finds it empty does
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    journal = Journal(folder)
    journal.open()
    journal.finish(record(1))
    assert list(abandoned(folder)) == []
    die(journal)
    assert [each.id for each in await replayed(folder)] == ["req_1"]


def test_a_dead_journal_is_had_by_one(journal: Journal) -> None:
    die(journal)
    first = only(list(abandoned(journal.folder)))
    assert list(abandoned(journal.folder)) == []
    first.close()
    only(list(abandoned(journal.folder))).close()


def test_a_half_written_line_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes a part of it, and room is made again later."""
    segment = Segment.create(tmp_path / "s")
    whole = os.pwrite
    segment.append(write_line(record(1)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, data[: len(data) // 2], at))
        with pytest.raises(OSError, match="bytes were written"):
            segment.append(write_line(record(2)))
        patch.setattr(os, "pwrite", _no_space)
        with pytest.raises(OSError, match="no space"):
            segment.append(write_line(record(3)))
    segment.append(write_line(record(4)))
    entries = [entry for entry, _ in read_lines(segment.read(HEAD_BYTES))]
    assert [entry.id for entry in entries if entry] == ["req_1", "req_4"]


def _no_space(descriptor: int, data: bytes, at: int) -> int:
    raise OSError("no space")


def test_a_head_that_cannot_be_read_counts_as_nothing_taken(tmp_path: Path) -> None:
    path = tmp_path / "s"
    segment = Segment.create(path)
    segment.append(write_line(record(1)))
    segment.take(segment.size)
    segment.close(remove=False)
    assert Segment.open(path).taken == path.stat().st_size
    path.write_bytes(b"x" * HEAD_BYTES + path.read_bytes()[HEAD_BYTES:])
    assert Segment.open(path).taken == HEAD_BYTES
