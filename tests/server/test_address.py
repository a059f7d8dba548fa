"""An address that cannot be listened on is found before a start makes the key that is shown once."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gaiarouter.server.address import AddressUnusable, prove_free
from tests.gateway.running import config


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_port_in_use_costs_nobody_the_first_key(tmp_path: Path, taken: int) -> None:
    settings = config(tmp_path, {}, server={"port": taken}, store=f"sqlite:///{tmp_path}/fresh.db")
    (tmp_path / "gaiarouter.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "gaiarouter", "serve", "-c", str(tmp_path / "gaiarouter.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{taken}: Address already in use" in ended.stderr
    assert "choose another port with `--port`" in ended.stderr
    with closing(sqlite3.connect(tmp_path / "fresh.db")) as database:
        keys = database.execute("SELECT count(*) FROM api_keys").fetchone()
    assert keys == (0,), "the key of a later start is the first one, and shown"


@pytest.mark.parametrize("shared", [False, True])
def test_a_free_address_is_free_again_afterwards(*, shared: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    for _ in range(2):
        prove_free(("127.0.0.1", port), shared_port=shared)


def test_workers_may_share_a_port_that_is_shared() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        address = ("127.0.0.1", other.getsockname()[1])
        prove_free(address, shared_port=True)
        with pytest.raises(AddressUnusable, match="another program listens there"):
            prove_free(address, shared_port=False)


def test_an_address_of_another_machine_is_none_to_listen_on() -> None:
    with pytest.raises(AddressUnusable, match="no interface of this machine has that address"):
        prove_free(("192.0.2.1", 8000), shared_port=False)
