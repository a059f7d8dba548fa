from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_database, open_store, statements
from gaiarouter.store.base import ApiKey, MigrationError, UsageRecord
from gaiarouter.store.commands import migrate
from gaiarouter.store.migrate import Migration, load_migrations, pending_migrations, require_none

ONE = Migration(1, "0001_one.sql", "CREATE TABLE a (x TEXT);\n")
TWO = Migration(2, "0002_two.sql", "CREATE TABLE b (x TEXT);\nCREATE TABLE c (y TEXT);\n")
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
    assert [migration.version for migration in load_migrations()] == [*range(1, len(load_migrations()) + 1)]


@pytest.mark.parametrize(
    ("statement", "record"),
    [
        (statements.FIND_KEY, ApiKey),
        (statements.LIST_KEYS, ApiKey),
        (statements.ADD_KEY, ApiKey),
        (statements.ADD_USAGE, UsageRecord),
        (statements.FIND_USAGE, UsageRecord),
    ],
)
def test_columns_stand_in_the_order_of_the_fields(statement: str, record: type) -> None:
    columns = statement.replace("(", " FROM ").replace("SELECT", "").replace(")", " FROM ").split("FROM")
    listed = next(part for part in columns if "id," in part)
    assert [name.strip() for name in listed.split(",")] == [field.name for field in fields(record)]


async def test_migrating_again_does_nothing(url: Secret) -> None:
    assert await migrate(open_store(url)) == [migration.name for migration in load_migrations()]
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


def test_of_processes_that_start_together_one_migrates_and_one_mints(url: Secret) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, url.reveal()], stdin=-1, stdout=-1, text=True) for _ in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert sorted(answer[0] for answer in answers) == ["0"] * 5 + [str(len(load_migrations()))]
    assert sorted(answer[1] for answer in answers) == ["False"] * 5 + ["True"]
