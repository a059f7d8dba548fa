"""The grown gateways are as grown as they say, and what a machine lacks is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from bench import growth, subjects
from bench.measure import Sizes
from bench.report import GROWTH
from bench.subjects import Grown


def test_a_grown_gateway_has_as_many_routes_and_keys_as_it_says(tmp_path: Path) -> None:
    subject = subjects.gateway(1, tmp_path, Grown("grown", routes=50, keys=200, workers=2))
    table = yaml.safe_load((tmp_path / "grown" / "gaiarouter.yaml").read_text())
    assert (len(table["routes"]), table["server"]["workers"]) == (50, 2)
    assert table["routes"][-1]["match"] == "*"
    with closing(sqlite3.connect(tmp_path / "grown" / "bench.db")) as database:
        assert database.execute("SELECT count(*), count(DISTINCT id) FROM api_keys").fetchone() == (200, 200)
    assert subject.key.startswith("sk-gaia-")


def test_every_row_of_growth_is_measured() -> None:
    assert {metric.key for metric in GROWTH} == {*growth.GROWN, growth.STREAMS}


@pytest.mark.parametrize(("files", "fits"), [(1 << 16, 10_000), (20_000, 7_850), (1024, 259)])
def test_as_many_streams_are_held_as_there_are_files_for(files: int, fits: int) -> None:
    assert growth.crowd_that_fits(10_000, files) == fits


def test_what_a_machine_lacks_is_said() -> None:
    assert growth.missing(Sizes(), 1 << 16, range(4)) == []
    files, cpus = growth.missing(Sizes(), 1024, range(2))
    assert "259 were held" in files
    assert "workers" in cpus


def test_another_gateway_is_started_by_its_command(tmp_path: Path) -> None:
    subject = subjects.other("theirs=run --listen {port} 'http://127.0.0.1:{upstream}/v1'", 4321, tmp_path)
    assert subject.name == "theirs"
    assert subject.command == ("run", "--listen", str(subject.port), "http://127.0.0.1:4321/v1")
