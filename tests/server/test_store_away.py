"""A start whose store cannot be used: exit code 3 and one clear line, soon, and no password in it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.gateway.running import config


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("postgresql://gaia:hunter2-canary@127.0.0.1:1/gaia", "postgresql 127.0.0.1:1/gaia"),
        ("sqlite:////nowhere/at/all/gaia.db", "sqlite /nowhere/at/all/gaia.db"),
    ],
)
async def test_d1_a_start_without_its_store_ends_with_3_and_one_line(tmp_path: Path, store: str, place: str) -> None:
    path = tmp_path / "gaiarouter.yaml"
    path.write_text(json.dumps(config(tmp_path, {}, store=store)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gaiarouter", "serve", "-c", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
    )
    async with asyncio.timeout(30):  # 10 s by itself, and what the machine's other work takes
        out, err = await process.communicate()
    assert process.returncode == 3
    assert out == b""
    (line,) = [line for line in err.splitlines() if not line.endswith(b"(warning)")]
    assert line.startswith(f"gaiarouter: the store {place} cannot be used: ".encode())
    assert b"canary" not in err
