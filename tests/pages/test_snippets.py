"""Programs and requests on the pages are run as they stand, against a gateway whose every model is the demo."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT
from tests.pages.blocks import Block, blocks, calls, commands
from tests.support.gateway import RunningGateway, running_gateway

ELSEWHERE = {
    "README.md": "tests/packaging/test_readme.py",
    "docs/adding-a-provider.md": "tests/pages/test_adding_a_provider.py",
    "docs/getting-started.md": "tests/packaging/test_getting_started.py",
}
"""Pages whose programs and requests are run by another test, in their own surroundings."""
_CHATS = "the demo model only chats; tests/gateway/test_passed.py asks a provider"
NOT_RUN = {
    "/v1/responses/$ID": "only a provider keeps answers; tests/gateway/test_kept.py asks one",
    "/v1/embeddings": _CHATS,
    "/v1/moderations": _CHATS,
    "/v1/images/": _CHATS,
    "/v1/audio/": _CHATS,
    "/v1/rerank": _CHATS,
    "mbedContent": _CHATS,
    "/v1/config/reload": "this gateway was not started from a file; tests/gateway/test_reload.py does it",
}
"""Parts of commands that need what is not here, with the reason."""

TABLE = {
    "providers": {"demo": {"dialect": "echo"}},
    "routes": [{"match": ["demo", "*"], "targets": [{"provider": "demo"}]}],
}
_NUMBERS = itertools.count(1)
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
        keys = {"GAIAROUTER_KEY": gateway.key, "GAIAROUTER_ADMIN_KEY": admin}
        environ = {**os.environ, **keys, "PYTHONWARNINGS": "error"}
        done = [_run(block.place, gateway, environ, sys.executable, "-c", block.text) for block in SNIPPETS]
        for place, command in REQUESTS:
            organization, record = await _records(gateway, admin, command)
            line = command.replace("curl ", "curl --fail-with-body ").replace("org_1a2b3c", organization)
            done.append(_run(place, gateway, {**environ, "ID": record}, "bash", "-c", line))
        assert [said for said in await asyncio.gather(*done) if said] == []


async def _records(gateway: RunningGateway, admin: str, command: str) -> tuple[str, str]:
    """A new organization, and the record that `$ID` means in this command: new too, so that each may delete its own."""
    number = next(_NUMBERS)
    organization = await _made(gateway, admin, "organizations", {"name": f"Example {number}"})
    match re.search(r"/v1/([\w-]+)/\$ID", command):
        case None:
            return organization, ""
        case found if found[1] == "organizations":
            return organization, organization
        case found if found[1] == "users":
            user = {"organization": organization, "email": f"user{number}@example.com"}
            return organization, await _made(gateway, admin, "users", user)
        case found:
            return organization, await _made(gateway, admin, found[1], {"name": f"key {number}"})


async def _made(gateway: RunningGateway, admin: str, kind: str, record: dict[str, str]) -> str:
    async with gateway.post(f"/v1/{kind}", key=admin, json=record) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def _run(place: str, gateway: RunningGateway, environ: dict[str, str], *command: str) -> str:
    """What was said, if it failed; else nothing."""
    process = await asyncio.create_subprocess_exec(
        *(part.replace("http://127.0.0.1:8000", gateway.url) for part in command),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return "" if process.returncode == 0 else f"{place}: {command[-1]}: {err.decode()}{out.decode()}"
