"""Writes docs/database.md from what the migrations make of an empty database, in SQLite and in PostgreSQL.

What a table and a column are for stands below: a new one without its words fails the test of the page.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gaiarouter.config.secret import Secret  # noqa: E402
from gaiarouter.store import open_database  # noqa: E402
from tests.store.described import Column, Table, postgres_tables, sqlite_tables  # noqa: E402
from tests.store.postgres_server import PostgresServer  # noqa: E402

PAGE = ROOT / "docs" / "database.md"
HEAD = """# Database schema: every table and column

Written by `.ci/update_database_page.py` from what the migrations in `gaiarouter/store/migrations/` make of an empty
database; the test suite compares it with both engines. [What is kept](store.md) says how long, and what survives what.

Names, types and meanings are the same in SQLite and PostgreSQL; where the two differ, it is said. Columns that end in
`_us` are microseconds, since the epoch or of a duration; `_nano_usd` are billionths of a dollar. Lists, limits and
audited values are JSON in `TEXT`. No table holds a prompt or an answer, and no secret but the one of `secrets`, which
lets nobody in.

Other programs may read the tables; nothing but the gateway may write to them. They may change with any release: what is
stable is the [API](api.md).
"""

_ORGANIZATION: Final = "the organization's id; null is none"
_MODELS: Final = "globs of models that may be used; null is all"
_LIMITS: Final = "`requests`, `tokens` and `concurrent`"
_BUDGET: Final = {
    "budget_nano_usd": "what may be spent in a period; null is no budget",
    "budget_period": "`day`, `week`, `month` or `total`",
}
_TOKENS: Final = {
    "in_uncached": "tokens of the input that no cache had",
    "in_cache_read": "tokens of the input read from a cache",
    "in_cache_write": "tokens of the input written to a cache",
    "in_tool": "tokens of the input that the provider's own tools brought",
    "out_visible": "tokens of the answer",
    "out_reasoning": "tokens of thinking",
}
_SUMS: Final = {
    "organization": "its id; empty is none",
    "key": "its id; empty is none",
    "route": "the route's name; empty is none",
    "model": "the model that served; empty is none",
    "provider": "the provider that served; empty is none",
    "status_class": "2 for 2xx, 4 for 4xx, 5 for 5xx",
    "requests": "how many",
    "errors": "those with a status of 400 or more",
    "unpriced": "answers whose price nobody knows: not in the cost",
    **_TOKENS,
    "cost_nano_usd": "what they cost",
    "d0 … d15": "how many took how long in all, by bucket of `gaiarouter/store/tables/histogram.py`",
    "f0 … f15": "the same until their first content",
}
MEANINGS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "organizations": (
        "The tenants. A deleted one keeps its row, for the usage that names it.",
        {
            "id": "`org_…`",
            "name": "unique among those that are not deleted",
            "created_us": "when it was made",
            "updated_us": "when it was last changed",
            "description": "the operator's words",
            "status": "`active` or `suspended`",
            "limits": f"{_LIMITS}, for its keys in all; null is none",
            **_BUDGET,
            "models": _MODELS,
            "deleted_us": "when it was deleted; null is not",
        },
    ),
    "users": (
        "Who may own keys.",
        {
            "id": "`user_…`",
            "organization": "the organization's id",
            "email": "in lower case, unique among those that are not deleted",
            "name": "as shown",
            "role": "`read`, `write` or `admin`",
            "created_us": "when it was made",
            "updated_us": "when it was last changed",
            "status": "`active` or `suspended`",
            "password_hash": "argon2id; nothing sets it yet",
            "last_login_us": "nothing sets it yet",
            "deleted_us": "when it was deleted; null is not",
        },
    ),
    "api_keys": (
        "The keys of callers and operators, without their secrets. A revoked one keeps its row.",
        {
            "id": "`key_…`, which is part of the key's text",
            "name": "the operator's",
            "secret_hash": "SHA-256 of the secret, or HMAC-SHA256 under the pepper; hexadecimal",
            "created_us": "when it was made",
            "organization": _ORGANIZATION,
            "permissions": "list of `read`, `write`, `admin`",
            "models": _MODELS,
            "limits": f"{_LIMITS}; null is as configured",
            "inference": "whether it may call models",
            "expires_us": "when it stops; null is never",
            "revoked_us": "when it was revoked; null is not",
            "last_used_us": "about when it was last shown",
            "unsupported": "`error` refuses what a target cannot take exactly; null leaves it to the route",
            "owner": "a user's id; null is nobody",
            "description": "the operator's words",
            "status": "`active` or `disabled`",
            **_BUDGET,
            "updated_us": "when it was last changed",
            "peppered": "whether `secret_hash` is under the pepper",
            "previous_hash": "hash of the secret before the last rotation",
            "previous_peppered": "whether that is under the pepper",
            "previous_until_us": "until when that secret works",
            "log_bodies": "whether its requests and answers are kept, where `log.bodies` says",
        },
    ),
    "models": (
        "Models that an operator enters. Nothing reads it yet.",
        {
            "id": "of the row",
            "provider": "the provider's name",
            "name": "the model's name there",
            "capabilities": "what it accepts",
            "context_tokens": "the longest conversation",
            "prices": "dollars for a million tokens, by class",
            "price_source": "where they are from",
            "price_version": "of which date",
            "updated_us": "when it was last changed",
        },
    ),
    "audit_log": (
        "Every change of an organization, a user or a key, each entry chained to the one before it.",
        {
            "seq": "1, 2, 3 … in the order of the commits",
            "time_us": "when",
            "actor": "who: a key's id, `admin key`, `cli` or `system`",
            "action": "what was done, as `key.create`",
            "target": "the id of what was changed",
            "organization": "whose that is; null is nobody's",
            "request_id": "in which request; null at the command line",
            "value_before": "the changed members before; never a secret",
            "value_after": "the changed members after",
            "previous_hash": "`hash` of the entry before",
            "hash": "over this entry and `previous_hash`",
        },
    ),
    "audit_head": (
        "One row, the newest entry of the log: every change takes it first, so that changes follow one another.",
        {"id": "1", "seq": "the newest entry's", "hash": "the newest entry's"},
    ),
    "usage_records": (
        "One row a request: what it was and used, never what it said. In PostgreSQL each day is a table of its own.",
        {
            "id": "of the row; a record that is written twice is there once",
            "time_us": "when the request began",
            "key": "the key's id; null is none",
            "organization": _ORGANIZATION,
            "route": "the route's name; null if none matched",
            "model_asked": "as the caller named it",
            "model_served": "as the provider was asked for",
            "provider": "who served, by its name in the configuration",
            "attempts": "tries at targets",
            "status": "HTTP status; 499 for a caller that hung up",
            "outcome": "`ok`, `error`, `interrupted` or `cancelled`",
            "error": "the [code](errors.md); null is none",
            "streamed": "whether the answer was a stream",
            **_TOKENS,
            "estimated": "whether the provider sent no usage, and this is counted or estimated",
            "cost_nano_usd": "what it cost; null is unpriced, which is not 0",
            "duration_us": "from the head of the request to the end of the answer",
            "first_content_us": "until the first content; null if there was none",
            "request_id": "what the caller was told, or told the gateway: not unique",
            "lost": "tries that did not become the answer and that a provider may bill; null is none",
            "lost_nano_usd": "what those cost, unpriced ones as 0; null where there are none",
        },
    ),
    "usage_stats": ("The same added up by the hour.", {"hour_us": "when the hour began", **_SUMS}),
    "usage_days": (
        "The same added up by the day, so that months are quick.",
        {"day_us": "when the day began, UTC", **_SUMS},
    ),
    "budgets": (
        "What is spent and reserved of a budget in one period.",
        {
            "scope": "a key's or an organization's id",
            "starts_us": "when the period began",
            "spent": "in nano-dollars",
            "reserved": "in nano-dollars, by requests in flight",
        },
    ),
    "budget_holds": (
        "What requests in flight have reserved. A row goes when the request's record comes in.",
        {
            "id": "the request's, as in `usage_records`",
            "scope": "a key's or an organization's id",
            "starts_us": "of the period that it counts for",
            "amount": "in nano-dollars",
            "time_us": "of the record that will settle it; 0 for those from before version 6",
        },
    ),
    "secrets": (
        "What the gateway signs with. Who has it lacks a key still.",
        {
            "name": "`handles`: for the marks on [ids of kept answers](endpoints.md#answers-that-were-kept)",
            "value": "random, hexadecimal",
            "created_us": "when the first process made it",
        },
    ),
    "schema_migrations": (
        "The files of migrations that were applied.",
        {
            "version": "the number in the file's name",
            "sha256": "of the file: one that changed since is refused",
            "applied_us": "when",
        },
    ),
}

Tables = Mapping[str, Table]


def page(sqlite: Tables, postgres: Tables) -> str:
    """Raises KeyError for a table or a column without its words."""
    assert sqlite.keys() == postgres.keys() == MEANINGS.keys()
    return "\n".join([HEAD, *(_section(name, sqlite[name], postgres[name]) for name in MEANINGS)])


def _section(name: str, sqlite: Table, postgres: Table) -> str:
    purpose, meanings = MEANINGS[name]
    columns, theirs = _merged(sqlite.columns), {column.name: column for column in _merged(postgres.columns)}
    assert {column.name for column in columns} == theirs.keys() == meanings.keys(), (name, theirs.keys())
    rows = [_row(column, theirs[column.name], meanings[column.name]) for column in columns]
    lines = [
        f"## `{name}`",
        "",
        purpose,
        "",
        "| column | type | null | default | what for |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]
    return "\n".join([*lines, *_keys(sqlite, postgres)])


def _merged(columns: tuple[Column, ...]) -> list[Column]:
    """`d0`, `d1` … as one."""
    merged: dict[str, Column] = {}
    for column in columns:
        counted = re.fullmatch(r"([a-z])\d+", column.name)
        name = column.name if counted is None else f"{counted[1]}0 … {counted[1]}15"
        merged[name] = Column(name, column.kind, column.nullable, column.default)
    return list(merged.values())


def _row(column: Column, theirs: Column, meaning: str) -> str:
    kind = _either(column.kind.upper(), theirs.kind.upper())
    default = _either(_default(column), _default(theirs))
    return f"| `{column.name}` | {kind} | {'yes' if column.nullable else ''} | {default} | {meaning} |"


def _default(column: Column) -> str:
    return "" if column.default is None else f"`{column.default.partition('::')[0].lower()}`"


def _either(sqlite: str, postgres: str) -> str:
    return sqlite if sqlite == postgres else f"{sqlite or 'none'} in SQLite, {postgres or 'none'} in PostgreSQL"


def _keys(sqlite: Table, postgres: Table) -> Iterator[str]:
    yield f"Primary key: {_either(*(', '.join(f'`{name}`' for name in table.key) for table in (sqlite, postgres)))}."
    if postgres.partitioned is not None:
        yield f"In PostgreSQL it is partitioned by `{postgres.partitioned}`."
    names = sorted({*sqlite.indexes, *postgres.indexes})
    if names:
        yield from ("", "| index | over |", "| --- | --- |")
    for name in names:
        yield f"| `{name}` | {_either(*(_over(table.indexes.get(name)) for table in (sqlite, postgres)))} |"
    yield ""


def _over(index: str | None) -> str:
    return "" if index is None else f"`{index}`"


async def _read() -> tuple[Tables, Tables]:
    server = PostgresServer()
    try:
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            database = open_database(Secret(f"sqlite:///{folder}/gaia.db"))
            await database.open(migrate=True)
            sqlite = await sqlite_tables(database)
            await database.close()
        database = open_database(Secret(server.url))
        await database.open(migrate=True)
        postgres = await postgres_tables(database)
        await database.close()
    finally:
        server.remove()
    return sqlite, postgres


if __name__ == "__main__":
    PAGE.write_text(page(*asyncio.run(_read())), encoding="utf-8")
