"""What a start says to a person."""

from __future__ import annotations

import re
import shlex

import pytest

from gaiarouter.app import load
from gaiarouter.assembly.process import place
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Settings
from gaiarouter.server.banner import banner


def settings(**changes: object) -> Settings:
    return load(
        {
            "providers": {"demo": {"dialect": "echo"}, "openai": {"api_key": ""}, "groq": {"api_key": "gsk_secret"}},
            "routes": [
                {"match": "gpt-*", "targets": [{"provider": "openai"}]},
                {"match": "demo", "targets": [{"provider": "demo"}]},
            ],
            **changes,
        }
    )


def words(made: Settings, first_key: str | None = None) -> str:
    return banner(made, version="1.2.3", store="sqlite gaia.db", first_key=first_key)


def test_it_says_where_and_what_is_on_and_off_and_why() -> None:
    said = words(settings())
    for part in ("1.2.3", "http://127.0.0.1:8000", "gpt-*, demo", "sqlite gaia.db"):
        assert part in said
    assert re.search(r"^  on +demo, groq$", said, re.MULTILINE)
    assert re.search(r"^  off +openai \(.+\)$", said, re.MULTILINE)
    assert "gsk_secret" not in said
    assert "first key" not in said
    assert len(said.splitlines()) <= 10


def test_the_first_key_comes_with_a_line_that_can_be_pasted() -> None:
    said = words(settings(), "sk-gaia-first-abc")
    assert said.count("sk-gaia-first-abc") == 2
    line = next(line for line in said.splitlines() if "curl" in line)
    command = shlex.split(line.split("try it")[1])
    assert command[:3] == ["curl", "-sN", "http://127.0.0.1:8000/v1/chat/completions"]
    assert "authorization: Bearer sk-gaia-first-abc" in command
    assert '"model":"demo"' in command[-1], "a name, not a glob"


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("gw", "gw")],
)
def test_the_address_is_one_that_can_be_opened(host: str, address: str) -> None:
    assert f"http://{address}:8000" in words(settings(server={"host": host}))


def test_an_open_door_is_said_aloud() -> None:
    assert "OFF" in words(settings(auth={"required": False}))


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("sqlite:///gaia.db", "sqlite gaia.db"),
        ("sqlite:////var/lib/gaia.db", "sqlite /var/lib/gaia.db"),
        ("postgresql://gaia:hunter2@db.internal:5432/gaia", "postgresql db.internal:5432/gaia"),
    ],
)
def test_the_stores_place_is_said_without_its_password(store: str, said: str) -> None:
    assert place(Secret(store)) == said
