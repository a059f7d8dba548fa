"""What is kept: keys and usage records. The only SQL is in here, one text for every engine."""

from __future__ import annotations

from gaiarouter.config.secret import Secret
from gaiarouter.store.base import Store
from gaiarouter.store.sql import Database, SqlStore
from gaiarouter.store.sqlite import SqliteDatabase

_SQLITE = "sqlite:///"


def open_store(url: Secret) -> Store:
    """The store at `sqlite:///relative.db` or `sqlite:////absolute.db`, not yet opened.

    Raises ValueError for any other address, without repeating it: it may hold a password.
    """
    return SqlStore(open_database(url))


def open_database(url: Secret) -> Database:
    """The engine by the address's scheme; as open_store."""
    path = url.reveal().removeprefix(_SQLITE)
    if path == url.reveal() or path in ("", ":memory:"):
        raise ValueError("The store's address must read `sqlite:///FILE` or `sqlite:////ABSOLUTE/FILE`.")
    return SqliteDatabase(path)
