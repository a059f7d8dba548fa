"""Programs and requests on the pages are run as they stand, against a gateway whose every model is the demo."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT
from tests.pages.blocks import Block, blocks, calls, commands
from tests.support.gateway import running_gateway

ELSEWHERE = {
    "README.md": "tests/packaging/test_readme.py",
    "docs/getting-started.md": "tests/packaging/test_getting_started.py",
}
"""Pages whose programs and requests are run by another test, in their own surroundings."""
NOT_RUN = {
    "/v1/config/reload": "this gateway was not started from a file; tests/gateway/test_reload.py does it",
}
"""Parts of commands that need what is not here, with the reason."""

TABLE = {
    "providers": {"demo": {"dialect": "echo"}},
    "routes": [{"match": "*", "targets": [{"provider": "demo"}]}],
}
SNIPPETS = [block for block in blocks("python") if block.page not in ELSEWHERE]
CURLS = [
    (block.place, command)
    for block in blocks("sh", "console")
    for command in commands(block)
    if block.page not in ELSEWHERE and list(calls(command, "curl"))
]
REQUESTS = [(place, command) for place, command in CURLS if not any(part in command for part in NOT_RUN)]


def test_what_is_not_run_is_listed_and_nothing_else() -> None:
    assert {part for part in NOT_RUN if not any(part in command for _, command in CURLS)} == set()
    assert {test for test in ELSEWHERE.values() if not (ROOT / test).exists()} == set()


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.place)
def test_a_program_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")


async def test_programs_and_requests_do_what_they_say(tmp_path: Path) -> None:
    async with running_gateway(TABLE, tmp_path) as gateway:
        admin = await gateway.mint(permissions=["admin"])
        keys = {"GAIAROUTER_KEY": gateway.key, "GAIAROUTER_ADMIN_KEY": admin, "GAIAROUTER_URL": gateway.url}
        environ = {**os.environ, **keys, "PYTHONWARNINGS": "error"}
        port = gateway.url.rpartition(":")[2]
        done = [
            *(_run(block.place, environ, port, sys.executable, "-c", block.text) for block in SNIPPETS),
            *(
                _run(place, environ, port, "bash", "-c", command.replace("curl ", "curl --fail-with-body "))
                for place, command in REQUESTS
            ),
        ]
        assert [said for said in await asyncio.gather(*done) if said] == []


async def _run(place: str, environ: dict[str, str], port: str, *command: str) -> str:
    """What was said, if it failed; else nothing."""
    process = await asyncio.create_subprocess_exec(
        *(part.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for part in command),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return "" if process.returncode == 0 else f"{place}: {err.decode()}{out.decode()}"
