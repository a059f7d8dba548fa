from __future__ import annotations

from tests.store.conftest import database, store, url

__all__ = ["database", "store", "url"]
