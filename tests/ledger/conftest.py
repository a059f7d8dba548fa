from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.ledger.tokenizer import Tokenizer
from tests.store.conftest import database, store

__all__ = ["database", "store"]


@pytest.fixture
def url(tmp_path: Path) -> Secret:
    return Secret(f"sqlite:///{tmp_path}/gaia.db")


def loaded() -> Tokenizer:
    tokenizer = Tokenizer()
    tokenizer.is_ready()
    assert tokenizer._loading is not None
    tokenizer._loading.join(60)
    assert tokenizer.is_ready()
    return tokenizer
