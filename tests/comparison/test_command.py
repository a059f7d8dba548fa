"""`gaiarouter diff` ends as diff does, and reads the usage of the last day from the old table's store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gaiarouter.cli import main
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.keyring import now_us
from tests.store.test_store import RECORD

OLD: dict[str, Any] = {
    "providers": {
        "main": {"dialect": "openai", "api_key": "sk-live-secret"},
        "spare": {"dialect": "anthropic", "api_key": "sk-live-secret"},
    },
    "routes": [{"match": "gpt-4.1", "targets": [{"provider": "main"}]}],
}
NEW: dict[str, Any] = {
    **OLD,
    "routes": [
        {
            "match": "gpt-4.1",
            "targets": [
                {"provider": "main", "weight": 9},
                {"provider": "spare", "model": "claude-sonnet-4-5", "weight": 1},
            ],
        }
    ],
}
SAID = """\
routes
  ~ gpt-4.1
      targets: main/{model} -> main/{model} 0.9, spare/claude-sonnet-4-5 0.1
models
  ~ gpt-4.1
      main/gpt-4.1 100 %   (route gpt-4.1)
   -> main/gpt-4.1 90 %, spare/claude-sonnet-4-5 10 %   (route gpt-4.1)
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(json.dumps({**OLD, "store": f"sqlite:///{tmp_path}/gaia.db"}))
    new.write_text(json.dumps({**NEW, "store": f"sqlite:///{tmp_path}/gaia.db"}))
    return str(old), str(new)


async def _used(folder: Path, requests: int) -> None:
    store = open_store(Secret(f"sqlite:///{folder}/gaia.db"))
    await store.open()
    try:
        one = structs.replace(RECORD, model_asked="gpt-4.1", time_us=now_us(), in_uncached=1000, out_visible=100)
        one = structs.replace(one, in_cache_read=0, in_cache_write=0, in_tool=0, out_reasoning=0)
        before = structs.replace(one, id="before", time_us=now_us() - 90_000_000_000)
        await store.add_usage([before, *(structs.replace(one, id=f"r{number}") for number in range(requests))])
    finally:
        await store.close()


def test_what_differs_is_said_and_the_code_is_that_of_diff(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *files]) == 1
    assert capsys.readouterr().out == SAID
    assert main(["diff", files[0], files[0]]) == 0
    assert capsys.readouterr().out == "Nothing differs.\n"
    assert main(["diff", files[0], "nowhere.yaml"]) == 2
    assert "nowhere.yaml: cannot be read" in capsys.readouterr().err


def test_a_file_with_a_mistake_is_trouble(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(files[1]).write_text("routes: 5\n")
    assert main(["diff", *files]) == 2
    assert f"{files[1]}:1:9: routes: found 5" in capsys.readouterr().err


def test_usage_tells_how_many_requests_would_have_gone_elsewhere_and_at_what_price(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_used(tmp_path, 1000))
    assert main(["diff", *files, "--usage"]) == 1
    # for a million tokens gpt-4.1 costs $2 and $8, Claude $3 and $15: 1000 requests of 1000 and 100 are $2.80 or $4.50
    assert capsys.readouterr().out == SAID + (
        "usage of the last day\n"
        "  1000 requests, 10.0% of them would have gone elsewhere\n"
        "  $2.8000 -> $2.9700\n"
        "    gpt-4.1: 1000 requests, 10.0% elsewhere, $2.8000 -> $2.9700\n"
    )


def test_programs_get_json(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_used(tmp_path, 10))
    assert main(["diff", *files, "--usage", "--json"]) == 1
    out = capsys.readouterr().out
    told = json.loads(out)
    assert "sk-live" not in out
    assert told["routes"][0]["name"] == "gpt-4.1"
    assert told["models"][0]["after"]["shares"] == {"main/gpt-4.1": 0.9, "spare/claude-sonnet-4-5": 0.1}
    assert (told["traffic"]["requests"], told["traffic"]["elsewhere"]) == (10, pytest.approx(0.1))
    assert main(["diff", *files, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["traffic"] is None


def test_a_store_that_is_not_up_to_date_is_trouble_and_is_left_alone(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *files, "--usage"]) == 2
    assert "There is no file" in capsys.readouterr().err
    assert not (tmp_path / "gaia.db").exists()
    (tmp_path / "gaia.db").touch()
    assert main(["diff", *files, "--usage"]) == 2
    assert "lacks 0001_init.sql" in capsys.readouterr().err
