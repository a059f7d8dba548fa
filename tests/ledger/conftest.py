from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.secret import Secret
from tests.store.conftest import database, store

__all__ = ["database", "store"]


@pytest.fixture
def url(tmp_path: Path) -> Secret:
    return Secret(f"sqlite:///{tmp_path}/gaia.db")
