"""`gaiarouter orgs|users|keys|audit`: the control plane's operations at the command line."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from gaiarouter.config.management import OPERATIONS
from tests.test_cli import TABLE, Shell
from tests.test_cli import shell as shell  # a fixture

PEPPER = "f3a9c07be15d4826a1bb0e6cd7a94f20"


@pytest.fixture
def operator(shell: Shell) -> Shell:
    """In a folder with a table."""
    return shell


def _json(shell: Shell, *arguments: str) -> Any:
    done = shell.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def test_an_organization_a_user_and_a_key_from_making_to_ending(operator: Shell) -> None:
    organization = _json(operator, "orgs", "create", "--name", "Acme", "--budget", "500/month", "--concurrent", "8")
    assert organization["budget"] == {"amount_usd": 500.0, "period": "month"}
    assert organization["limits"] == {"requests": "unlimited", "tokens": "unlimited", "concurrent": 8}
    user = _json(operator, "users", "create", "--organization", organization["id"], "--email", "Ada@acme.example")
    key = _json(
        operator, "keys", "create", "--name", "ci", "--organization", organization["id"], "--owner", user["id"],
        "--model", "gpt-*", "--model", "demo", "--requests", "60/min", "--expires", "30d", "--permission", "read",
    )  # fmt: skip
    assert key["key"].startswith("sk-gaia-")
    assert (key["models"], key["owner"], key["permissions"]) == (["gpt-*", "demo"], user["id"], ["read"])
    assert key["limits"]["requests"] == "60/min"
    changed = _json(operator, "keys", "update", key["id"], "--name", "cd", "--clear", "models", "--clear", "expires_at")
    assert (changed["name"], changed["models"], changed["expires_at"]) == ("cd", None, None)
    assert changed["limits"] == key["limits"]
    rotated = _json(operator, "keys", "rotate", key["id"], "--overlap", "1h")
    assert rotated["id"] == key["id"]
    assert rotated["key"] != key["key"]
    assert rotated["previous_secret_until"] is not None
    assert _json(operator, "orgs", "update", organization["id"], "--status", "suspended")["status"] == "suspended"
    assert [each["id"] for each in _json(operator, "users", "list", "--search", "ADA")] == [user["id"]]
    assert _json(operator, "users", "delete", user["id"])["status"] == "deleted"
    assert _json(operator, "users", "list") == []
    assert [each["id"] for each in _json(operator, "users", "list", "--status", "deleted")] == [user["id"]]
    assert operator.run("keys", "revoke", key["id"]).returncode == 0
    assert _json(operator, "keys", "show", key["id"])["status"] == "revoked"
    assert [each["status"] for each in _json(operator, "keys", "list")] == ["revoked"]
    assert _json(operator, "orgs", "delete", organization["id"])["status"] == "deleted"


def test_a_person_reads_tables_and_lines(operator: Shell) -> None:
    made = operator.run("orgs", "create", "--name", "Acme", "--budget", "12.5/day")
    organization = re.search(r"org_\w+", made.stdout)
    assert organization is not None
    assert "budget       12.5 USD/day" in made.stdout
    listed = operator.run("orgs", "list").stdout.splitlines()
    assert listed[0].split() == ["ID", "NAME", "STATUS", "BUDGET", "CREATED_AT"]
    assert listed[1].split()[:3] == [organization[0], "Acme", "active"]
    assert "name         Acme" in operator.run("orgs", "show", organization[0]).stdout


def test_a_rotated_key_goes_alone_to_standard_output(operator: Shell) -> None:
    made = operator.run("keys", "create", "--name", "x")
    key_id = made.stderr.split()[0]
    rotated = operator.run("keys", "rotate", key_id)
    assert re.fullmatch(r"sk-gaia-\w+-\w+\n", rotated.stdout)
    assert rotated.stderr.startswith(f"{key_id} (x), shown once:")


def test_all_pages_of_a_list_are_shown(operator: Shell) -> None:
    operator.run("orgs", "list")  # makes the tables
    with sqlite3.connect(operator.folder / "gaiarouter.db") as database:
        database.executemany(
            "INSERT INTO organizations (id, name, created_us, updated_us, status) VALUES (?, ?, ?, 1, 'active')",
            [(f"org_{number}", f"n{number}", number) for number in range(250)],
        )
    database.close()
    listed = _json(operator, "orgs", "list")
    assert [each["id"] for each in listed] == [f"org_{number}" for number in range(250)]


def test_keys_are_made_under_the_pepper_of_the_environment(operator: Shell) -> None:
    operator.run("keys", "create", "--name", "plain")
    operator.run("keys", "create", "--name", "salted", GAIAROUTER_KEY_PEPPER=PEPPER)
    with sqlite3.connect(operator.folder / "gaiarouter.db") as database:
        found = dict(database.execute("SELECT name, peppered FROM api_keys").fetchall())
    database.close()
    assert found == {"plain": 0, "salted": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("orgs", "create", "--name", ""), 2, "`name` must be 1 to 64 printable characters"),
        (("orgs", "create"), 2, "--name"),
        (("users", "create", "--organization", "org_none", "--email", "a@b"), 2, "There is no such organization."),
        (("users", "create", "--email", "a@b"), 2, "--organization"),
        (("orgs", "show", "org_none"), 1, "There is no such organization."),
        (("keys", "update", "key_none", "--name", "x"), 1, "There is no such key."),
        (("keys", "rotate", "key_none", "--overlap", "90d"), 2, "`overlap_seconds` must be from 0 to 2592000"),
        (("orgs", "update", "org_none", "--clear", "name"), 2, "`name` must be a string, not null"),
        (("orgs", "update", "org_none", "--clear", "nmae"), 2, "did you mean `name`?"),
        (("orgs", "create", "--name", "a", "--budget", "much"), 2, "expected dollars such as 500/month"),
        (("orgs", "create", "--name", "a", "--budget", "5/year"), 2, "`budget.period` must be one of"),
    ],
)
def test_mistakes_are_named_and_end_the_command(
    operator: Shell, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = operator.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_taken_name_is_a_conflict(operator: Shell) -> None:
    operator.run("orgs", "create", "--name", "Acme")
    again = operator.run("orgs", "create", "--name", "Acme")
    assert (again.returncode, again.stderr) == (1, "There is an organization of this name.\n")


def test_the_log_names_the_command_line_and_is_verified(operator: Shell) -> None:
    for name in ("a", "b", "c"):
        operator.run("orgs", "create", "--name", name)
    operator.run("keys", "create", "--name", "k")
    entries = _json(operator, "audit", "list")
    assert [(entry["seq"], entry["actor"], entry["action"]) for entry in entries] == [
        (4, "cli", "key.create"),
        *((seq, "cli", "organization.create") for seq in (3, 2, 1)),
    ]
    key = entries[0]["target"]
    assert [entry["seq"] for entry in _json(operator, "audit", "list", "--target", key)] == [4]
    verified = operator.run("audit", "verify")
    assert (verified.returncode, verified.stdout) == (0, "4 entries, all in order.\n")


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("UPDATE audit_log SET actor = 'mallory' WHERE seq = 2", "1 entry in order, then: entry 2 was changed"),
        ("UPDATE audit_log SET value_after = '{}' WHERE seq = 3", "2 entries in order, then: entry 3 was changed"),
        ("DELETE FROM audit_log WHERE seq = 2", "1 entry in order, then: entry 2 is missing"),
        ("DELETE FROM audit_log WHERE seq = 3", "2 entries in order, then: entries 3 to 3 are missing"),
        ("DELETE FROM audit_log", "0 entries in order, then: entries 1 to 3 are missing"),
    ],
)
def test_a_log_that_was_tampered_with_is_found_out(operator: Shell, tampering: str, words: str) -> None:
    for name in ("a", "b", "c"):
        operator.run("orgs", "create", "--name", name)
    with sqlite3.connect(operator.folder / "gaiarouter.db") as database:
        database.execute(tampering)
    database.close()
    done = operator.run("audit", "verify")
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize("command", [*OPERATIONS, "audit verify", "keys list"])
def test_every_command_teaches_by_example(operator: Shell, command: str) -> None:
    done = operator.run(*command.split(), "--help")
    assert done.returncode == 0
    assert f"gaiarouter {command}" in done.stdout.partition("examples:")[2]


def test_a_store_of_another_place_is_left_alone(operator: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TABLE + f"store: sqlite:///{tmp_path}/other.db\n")
    operator.run("orgs", "create", "--name", "Acme", "-c", str(other))
    assert _json(operator, "orgs", "list") == []
