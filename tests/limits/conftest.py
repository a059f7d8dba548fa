from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.limits.valkey_server import ValkeyServer


@pytest.fixture(scope="session")
def _valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def valkey(_valkey: ValkeyServer) -> ValkeyServer:
    """Running; a test may stop it. What other tests left in it is under other names."""
    if not _valkey.is_running:
        _valkey.start()
    return _valkey
