"""What is kept: keys and usage records. The only SQL is in here, one text for every engine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from gaiarouter.config.secret import Secret
from gaiarouter.store.base import Store
from gaiarouter.store.database import Database
from gaiarouter.store.sql import SqlStore
from gaiarouter.store.sqlite import SqliteDatabase


def open_store(url: Secret) -> Store:
    """The store at `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/database`, not yet
    opened.

    Raises ValueError for any other address, without repeating it: it may hold a password.
    """
    return SqlStore(open_database(url))


def open_database(url: Secret) -> Database:
    """The engine by the address's scheme; as open_store."""
    scheme, _, rest = url.reveal().partition("://")
    path = rest.removeprefix("/")
    if scheme == "sqlite" and path not in ("", rest, ":memory:"):
        return SqliteDatabase(path)
    if scheme in ("postgresql", "postgres") and _has_valid_port(url):
        from gaiarouter.store.postgres import PostgresDatabase  # its driver is 3 MB that SQLite's users do without

        return PostgresDatabase(url)
    raise ValueError("The store's address must read `sqlite:///FILE` or `postgresql://user:password@host/database`.")


def ledger_folder(url: Secret) -> Path:
    """Where journals lie if nothing else is said: beside SQLite's file, else in the working directory."""
    scheme, _, rest = url.reveal().partition("://")
    beside = Path(rest.removeprefix("/")) if scheme == "sqlite" else Path("gaiarouter.db")
    return beside.with_name(beside.stem + "-ledger")


def _has_valid_port(url: Secret) -> bool:
    try:
        return urlsplit(url.reveal()).port != 0
    except ValueError:
        return False
