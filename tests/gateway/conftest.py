"""Gateways that are stopped and checked at the end of each test, with their log kept at its most talkative."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from gaiarouter.server import logs
from tests.gateway.running import Starter


class Log(io.StringIO):
    """What was logged since the test began."""

    def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]  # bytes are what is searched
        return self.getvalue().encode()


@pytest.fixture(scope="session")
def _log() -> Iterator[Log]:
    """Loggers keep the stream they first wrote to, so there is one for the whole session."""
    before, log = logging.getLogger().handlers[:], Log()
    logs.configure(log, level=logging.DEBUG)
    yield log
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture
def log(_log: Log) -> Log:
    _log.seek(0)
    _log.truncate()
    return _log


@pytest.fixture
async def start(tmp_path: Path, log: Log) -> AsyncIterator[Starter]:
    async with Starter(tmp_path, log) as starter:
        yield starter
