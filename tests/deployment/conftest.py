"""Fixtures of the tests of what is shipped to run the gateway with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deployment.debian import program


@pytest.fixture(scope="session")
def promtool(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return program("promtool", request.config.cache.mkdir("prometheus"))
