"""Gateways that are stopped and checked at the end of each test, with their log kept at its most talkative."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from gaiarouter.server import logs
from tests.gateway.running import Starter


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """What was logged since the test began. Loggers are not kept: one would write to its first stream for ever."""
    root, old, kept = logging.getLogger(), structlog.get_config(), logging.getLogger().handlers[:]
    level, stream = root.level, io.BytesIO()
    logs.configure(stream, level="debug")
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.configure(**old)
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.fixture
async def start(log: io.BytesIO) -> AsyncIterator[Starter]:
    async with Starter(log) as starter:
        yield starter
