"""Gateways that are stopped and checked at the end of each test, with their log kept at its most talkative."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from gaiarouter.server import logs
from tests.gateway.running import Starter


@pytest.fixture(scope="session")
def _log() -> Iterator[io.BytesIO]:
    """Loggers keep the stream they first wrote to, so there is one for the whole session."""
    before, log = logging.getLogger().handlers[:], io.BytesIO()
    logs.configure(log, level=logging.DEBUG)
    yield log
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture
def log(_log: io.BytesIO) -> io.BytesIO:
    """What was logged since the test began."""
    _log.seek(0)
    _log.truncate()
    return _log


@pytest.fixture
async def start(log: io.BytesIO) -> AsyncIterator[Starter]:
    async with Starter(log) as starter:
        yield starter
