from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

import asyncpg
import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits, Rate
from gaiarouter.store import open_database, open_store, statements
from gaiarouter.store.base import ApiKey, MigrationError
from gaiarouter.store.commands import migrate
from gaiarouter.store.keyring import KeyRing
from gaiarouter.store.keys import mint
from gaiarouter.store.migrate import Engine, Migration, load_migrations, pending_migrations, require_none
from gaiarouter.store.records import Page, UsageFilter, Window

ONE = Migration(1, "0001_one.sql", "CREATE TABLE a (x TEXT);\n")
ENGINES: tuple[Engine, ...] = ("sqlite", "postgres")
TWO = Migration(2, "0002_two.sql", "CREATE TABLE b (x TEXT);\nCREATE TABLE c (y TEXT);\n")
PROCESSES = 10
OPEN = """
import asyncio, sys
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.commands import first_key

async def main():
    sys.stdin.readline()
    store = open_store(Secret(sys.argv[1]))
    applied = await store.open()
    minted = await first_key(store, now_us=1)
    await store.close()
    print(len(applied), minted is not None)

print("ready", flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("applied", "wanted"),
    [({}, [ONE, TWO]), ({1: ONE.sha256}, [TWO]), ({1: ONE.sha256, 2: TWO.sha256}, [])],
)
def test_what_has_not_been_applied_is_pending(applied: Mapping[int, str], wanted: list[Migration]) -> None:
    assert pending_migrations([ONE, TWO], applied) == wanted


@pytest.mark.parametrize(
    ("applied", "words"),
    [
        ({1: "other"}, "0001_one.sql is not the file that was applied"),
        ({1: ONE.sha256, 2: TWO.sha256, 3: "x"}, "version 3, this program knows versions up to 2"),
    ],
)
def test_a_changed_file_and_a_newer_database_are_refused(applied: Mapping[int, str], words: str) -> None:
    with pytest.raises(MigrationError, match=words):
        pending_migrations([ONE, TWO], applied)


def test_a_start_that_may_not_migrate_names_the_command() -> None:
    require_none([])
    with pytest.raises(MigrationError, match=r"0001_one.sql, 0002_two.sql: run `gaiarouter migrate`"):
        require_none([ONE, TWO])


def test_a_file_is_cut_into_its_statements() -> None:
    assert [statement.split()[2] for statement in TWO.statements] == ["b", "c"]


def test_the_shipped_migrations_are_numbered_without_gaps() -> None:
    """An engine lacks the numbers of those that are for another alone."""
    versions = {migration.version for engine in ENGINES for migration in load_migrations(engine)}
    assert sorted(versions) == [*range(1, len(versions) + 1)]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_shipped_migrations_of_each_engine_are_in_order_and_its_own(engine: Engine) -> None:
    versions = [migration.version for migration in load_migrations(engine)]
    assert versions == sorted(set(versions))
    assert not [each.name for each in load_migrations(engine) if each.name.count(".") > 1 and engine not in each.name]


def _shipped(url: Secret) -> Sequence[Migration]:
    return load_migrations("sqlite" if url.reveal().startswith("sqlite") else "postgres")


async def test_migrating_again_does_nothing(url: Secret) -> None:
    assert await migrate(open_store(url)) == [migration.name for migration in _shipped(url)]
    assert await migrate(open_store(url)) == []


async def test_a_store_may_refuse_to_migrate(url: Secret) -> None:
    store = open_store(url)
    with pytest.raises(MigrationError, match="run `gaiarouter migrate`"):
        await store.open(migrate=False)
    assert await store.open()
    assert await store.open(migrate=False) == ()
    await store.close()


@pytest.mark.parametrize(
    "tampering",
    ["UPDATE schema_migrations SET sha256 = 'x'", "INSERT INTO schema_migrations VALUES (9999, 'x', 0)"],
)
async def test_a_database_of_another_program_is_not_touched(url: Secret, tampering: str) -> None:
    database = open_database(url)
    await database.open(migrate=True)
    await database.write(tampering)
    await database.close()
    for may_migrate in (True, False):
        store = open_store(url)
        with pytest.raises(MigrationError):
            await store.open(migrate=may_migrate)
        await store.close()


OLD_KEYS = """
INSERT INTO api_keys (id, name, secret_hash, created_us, organization, permissions, models, limits, inference,
                      expires_us, revoked_us, last_used_us)
VALUES ('key_old', 'old', '{hash}', 5, NULL, '["admin"]', '["gpt-*"]',
        '{{"requests":{{"amount":10,"per_s":60.0}},"tokens":null,"concurrent":3}}', TRUE, NULL, NULL, 7),
       ('key_gone', 'gone', '{hash}', 6, 'org_of_old', '[]', NULL, NULL, FALSE, 9, 8, NULL);
INSERT INTO usage_records
VALUES ('req_1', 5, 'key_old', NULL, 'r', 'm', 'm', 'p', 1, 200, 'ok', NULL, FALSE, 1, 2, 3, 4, 5, 6, FALSE, 7, 8, 9,
        'x');
"""


@pytest.mark.parametrize("version", [1, 2])
async def test_a_database_of_an_older_version_keeps_all_that_it_holds(url: Secret, version: int) -> None:
    old = _shipped(url)[:version]
    minted = mint(public_id="old")
    await _run(url, statements.CREATE_MIGRATIONS)
    for migration in old:
        await _run(url, migration.sql)
        await _run(url, f"INSERT INTO schema_migrations VALUES ({migration.version}, '{migration.sha256}', 0)")
    await _run(url, OLD_KEYS.format(hash=minted.secret_hash.hex()))
    store = open_store(url)
    assert list(await store.open()) == [migration.name for migration in _shipped(url)[version:]]
    kept = ApiKey(
        "key_old",
        "old",
        minted.secret_hash,
        5,
        permissions=("admin",),
        models=("gpt-*",),
        limits=Limits(Rate(10, 60.0), None, 3),
        last_used_us=7,
        updated_us=5,
    )
    gone = ApiKey(
        "key_gone",
        "gone",
        minted.secret_hash,
        6,
        organization="org_of_old",
        inference=False,
        expires_us=9,
        revoked_us=8,
        updated_us=8,
    )
    assert await store.list_keys() == [kept, gone]
    record = await store.find_usage("req_1")
    assert record is not None
    assert (record.key, record.cost_nano_usd, record.request_id) == ("key_old", 7, "x")
    assert await KeyRing(store).find(minted.text) == kept
    await store.close()


async def _run(url: Secret, sql: str) -> None:
    """The statements, by the engine's own driver."""
    scheme, _, path = url.reveal().partition(":///")
    if scheme == "sqlite":
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        return
    connection = await asyncpg.connect(url.reveal())
    await connection.execute(sql)
    await connection.close()


MANY_RECORDS = """
INSERT INTO usage_records
SELECT 'rec_' || n, (20000 + n) * 86400000000 + 7, 'key_1', NULL, 'r', 'm', 'm', 'p', 1, 200, 'ok', NULL, FALSE,
       1, 2, 3, 4, 5, 6, FALSE, 7, 8, 9, 'x' FROM (SELECT 0 AS n {more}) AS numbers;
"""


@pytest.mark.parametrize("version", [0, 5])
async def test_of_processes_that_start_together_one_migrates_and_one_mints(url: Secret, version: int) -> None:
    """From nothing, and from a version whose records have to move."""
    await _run(url, statements.CREATE_MIGRATIONS)
    for migration in _shipped(url)[:version]:
        await _run(url, migration.sql)
        await _run(url, f"INSERT INTO schema_migrations VALUES ({migration.version}, '{migration.sha256}', 0)")
    if version:
        await _run(url, MANY_RECORDS.format(more=" ".join(f"UNION SELECT {n}" for n in range(1, 40))))
    await asyncio.to_thread(_start_together, url, len(_shipped(url)) - version)
    store = open_store(url)
    await store.open(migrate=False)
    found = await store.list_usage(UsageFilter(Window(0, 2**60)), Page())
    assert [each.id for each in found] == [f"rec_{n}" for n in reversed(range(40 if version else 0))]
    assert {(each.key, each.in_tool, each.request_id, each.lost) for each in found} <= {("key_1", 4, "x", ())}
    await store.close()


def _start_together(url: Secret, migrations: int) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, url.reveal()], stdin=-1, stdout=-1, text=True)
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    assert sorted(answer[0] for answer in answers) == ["0"] * (PROCESSES - 1) + [str(migrations)]
    assert sorted(answer[1] for answer in answers) == ["False"] * (PROCESSES - 1) + ["True"]
