"""PostgreSQL's tables of a day's usage records each: made before the day begins, dropped when its records are too old.

Where a table could not be made in time the day's records go to `usage_records_rest`, and move when it is made. All
processes do this; one at a time does, the others find it done. What must be waited for is asked for again later: a
table that a statement is reading holds up those behind it no longer than _LOCK.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from gaiarouter.store.database import Unit

DAY_US: Final = 86_400_000_000
_AHEAD: Final = 3
"""Days, today's included."""
_NAME: Final = re.compile(r"usage_records_(\d{8})")
_DATE: Final = "%Y%m%d"

_LOCK: Final = "SET LOCAL lock_timeout = '500ms'"
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtext('gaiarouter.days'))"
_TABLES: Final = """
SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = to_regclass('usage_records')
"""


def make_days(now_us: int) -> Unit[list[str]]:
    """The tables from today on that are not there yet; their names."""
    made = []
    today = now_us // DAY_US
    wanted = {_name(day): day for day in range(today, today + _AHEAD)}
    there = {name for (name,) in (yield _TABLES, ())}
    if wanted.keys() <= there:
        return []
    yield _LOCK, ()
    yield _ALONE, ()
    there = {name for (name,) in (yield _TABLES, ())}
    for name, day in wanted.items():
        if name not in there:
            yield from _make(name, day * DAY_US)
            made.append(name)
    return made


def _make(name: str, start_us: int) -> Unit[None]:
    """Made by itself and then attached: a table that is made as a part would hold up every reader of the whole."""
    bounds = f"time_us >= {start_us} AND time_us < {start_us + DAY_US}"
    yield "LOCK TABLE usage_records_rest IN ACCESS EXCLUSIVE MODE", ()
    yield f"CREATE TABLE {name} (LIKE usage_records, CHECK ({bounds}))", ()
    moved = f"WITH moved AS (DELETE FROM usage_records_rest WHERE {bounds} RETURNING *)"  # noqa: S608  # numbers
    yield f"{moved} INSERT INTO {name} SELECT * FROM moved", ()  # noqa: S608  # as above
    yield f"ALTER TABLE usage_records ATTACH PARTITION {name} FOR VALUES FROM ({start_us}) TO ({start_us + DAY_US})", ()


def drop_days(before_us: int) -> Unit[int]:
    """Those that are over by then. From when on records may still be in a day's table."""
    first_us = before_us - before_us % DAY_US
    over = sorted(
        name for (name,) in (yield _TABLES, ()) if (day := _day(name)) is not None and day * DAY_US < first_us
    )
    if over:
        yield _LOCK, ()
        yield _ALONE, ()
        for name in over:
            yield f"DROP TABLE IF EXISTS {name}", ()
    return first_us


def _name(day: int) -> str:
    return f"usage_records_{datetime.fromtimestamp(day * 86_400, tz=UTC):{_DATE}}"


def _day(name: str) -> int | None:
    """Of a table's name; None of one that is none of a day's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return int(datetime.strptime(found[1], _DATE).replace(tzinfo=UTC).timestamp()) // 86_400
