"""The gateway on a loopback port, and bytes to and from it as they are."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest

from tests.gateway.running import Starter


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    async with Starter(io.BytesIO()) as starter:
        yield starter
