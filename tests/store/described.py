"""What the migrations make of an empty database, read from the engine's own catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gaiarouter.store.database import Database


@dataclass(frozen=True, slots=True)
class Column:
    """`kind`: the type by the engine's own name. `default`: as SQL; None is none."""

    name: str
    kind: str
    nullable: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """`key`: the primary key's columns. indexes: by name, over what. partitioned: by what, in SQL, if at all."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: Mapping[str, str]
    partitioned: str | None = None


async def sqlite_tables(database: Database) -> dict[str, Table]:
    names = await database.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {str(name): await _sqlite_table(database, str(name)) for (name,) in names}


async def _sqlite_table(database: Database, table: str) -> Table:
    rows = await database.read('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info($1)', table)
    keyed = sorted((int(str(pk)), str(name)) for name, _, _, _, pk in rows if pk)
    columns = tuple(
        Column(str(n), str(k), not (given or pk), None if d is None else str(d)) for n, k, given, d, pk in rows
    )
    made = await database.read(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL", table
    )
    return Table(columns, tuple(name for _, name in keyed), {str(n): index_words(str(sql)) for n, sql in made})


async def postgres_tables(database: Database) -> dict[str, Table]:
    """Partitions are left out: they are parts of their table."""
    names = await database.read(
        "SELECT relname, pg_get_partkeydef(oid) FROM pg_class "
        "WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
    )
    return {str(name): await _postgres_table(database, str(name), by) for name, by in names}


async def _postgres_table(database: Database, table: str, partitioned: object) -> Table:
    rows = await database.read(
        "SELECT column_name, data_type, is_nullable = 'YES', column_default FROM information_schema.columns "
        "WHERE table_name = $1 ORDER BY ordinal_position",
        table,
    )
    columns = tuple(Column(str(n), str(k), bool(null), None if d is None else str(d)) for n, k, null, d in rows)
    made = await database.read("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1", table)
    indexes = {str(name): index_words(str(sql)) for name, sql in made}
    key = indexes.pop(f"{table}_pkey", "")
    return Table(
        columns,
        tuple(re.findall(r"\w+", key.removeprefix("unique"))),
        indexes,
        None if partitioned is None else str(partitioned),
    )


def index_words(sql: str) -> str:
    """`(a, b) where …`, with `unique` before it; of either engine the same."""
    words = " ".join(sql.split()).replace(" USING btree", "")
    found = re.search(r"CREATE (UNIQUE )?INDEX .*? ((?:hash )?\(.*?\))(?: WHERE \(?(.*?)\)?)?$", words)
    assert found is not None, sql
    unique, columns, where = found.groups()
    return ("unique " if unique else "") + columns + (f" where {where.lower()}" if where else "")
