from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.limits.valkey_server import ValkeyServer
from tests.support.servers import running


@pytest.fixture(scope="session")
def _valkey() -> Iterator[ValkeyServer]:
    with running(ValkeyServer()) as server:
        yield server


@pytest.fixture
def valkey(_valkey: ValkeyServer) -> ValkeyServer:
    """Running; a test may stop it. What other tests left in it is under other names."""
    if not _valkey.is_running:
        _valkey.start()
    return _valkey
