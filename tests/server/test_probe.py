"""The health check of the container: whether the gateway is alive, over plain HTTP and over TLS."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from tests.support import tls
from tests.support.ports import free_port
from tests.support.script import Hang, Script, answer
from tests.support.upstream import ScriptedUpstream


async def _said(port: int) -> int:
    """The exit code of the command that the container runs."""
    command = [sys.executable, "-m", "gaiarouter.server.probe"]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "GAIAROUTER_PORT": str(port)})
    return await process.wait()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(("script", "code"), [(answer(b"{}"), 0), (answer(b"", status=503), 1)], ids=["well", "ill"])
async def test_it_says_how_the_gateway_is(script: Script, code: int, encrypted: bool) -> None:
    async with ScriptedUpstream(script, tls=tls.server("self_signed") if encrypted else None) as gateway:
        assert await _said(gateway.port) == code
        assert [request.path for request in gateway.requests] == ["/health/live"]


async def test_nobody_there_is_not_alive() -> None:
    assert await _said(free_port()) == 1


async def test_no_answer_in_time_is_not_alive() -> None:
    async with ScriptedUpstream((Hang(),)) as gateway:
        assert await _said(gateway.port) == 1
