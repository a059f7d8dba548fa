"""What the command line does with keys and tables. Values in, values out; printing is the caller's.

The checks raise InvalidRequest, so that an HTTP interface can stand on the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from gaiarouter.config.settings import Limits
from gaiarouter.errors import InvalidRequest
from gaiarouter.store.base import ApiKey, Permission, Store
from gaiarouter.store.keys import RECORD_PREFIX, MintedKey, mint
from gaiarouter.store.records import Author, Budget

FIRST = "first"
MAX_NAME = 64
_END_OF_TIME_US = 253_402_300_800_000_000  # 10000-01-01
_COLUMNS = ("ID", "NAME", "CREATED", "PERMISSIONS", "MODELS", "EXPIRES", "STATUS")


async def migrate(store: Store) -> Sequence[str]:
    """Brings the tables up to date; the names of the migrations it applied, none where there was nothing to do."""
    try:
        return await store.open()
    finally:
        await store.close()


async def create_key(
    store: Store,
    *,
    name: str,
    now_us: int,
    permissions: Sequence[Permission] = (),
    models: Sequence[str] | None = None,
    limits: Limits | None = None,
    budget: Budget | None = None,
    expires_us: int | None = None,
    organization: str | None = None,
    owner: str | None = None,
    inference: bool = True,
    unsupported: Literal["error"] | None = None,
    pepper: bytes | None = None,
    author: Author | None = None,
) -> MintedKey:
    """The new key, whose text is nowhere else. models: globs; None is all. Raises InvalidRequest."""
    _check_name(name)
    if expires_us is not None and not now_us < expires_us < _END_OF_TIME_US:
        raise InvalidRequest("The expiry must lie in the future, before the year 10000.", param="expires")
    if models is not None and not all(models):
        raise InvalidRequest("A model glob is empty; expected one such as `gpt-*`.", param="models")
    key = ApiKey(
        id="",
        name=name,
        secret_hash=b"",
        created_us=now_us,
        organization=organization,
        permissions=tuple(permissions),
        models=None if models is None else tuple(models),
        limits=limits,
        budget=budget,
        inference=inference,
        expires_us=expires_us,
        unsupported=unsupported,
        owner=owner,
        updated_us=now_us,
    )
    return await mint_key(store, key, pepper=pepper, author=author)


async def mint_key(
    store: Store, key: ApiKey, *, pepper: bytes | None = None, author: Author | None = None
) -> MintedKey:
    """Keeps the record with an id and a secret of its own. Raises InvalidRequest, as Store.add_key."""
    while True:  # an id that is taken is drawn again; it will not happen in anyone's lifetime
        minted = mint(pepper=pepper)
        record = replace(key, id=minted.id, secret_hash=minted.secret_hash, peppered=pepper is not None)
        if await store.add_key(record, author):
            return minted


async def first_key(store: Store, *, now_us: int, pepper: bytes | None = None) -> MintedKey | None:
    """A key for the very first start; None if there have ever been keys.

    Its id is fixed, so that of several processes that start together exactly one can add it.
    """
    if await store.has_keys():
        return None
    minted = mint(public_id=FIRST, pepper=pepper)
    first = ApiKey(
        id=minted.id,
        name=FIRST,
        secret_hash=minted.secret_hash,
        created_us=now_us,
        updated_us=now_us,
        peppered=pepper is not None,
    )
    is_first = await store.add_key(first)
    return minted if is_first else None


async def list_keys(store: Store) -> Sequence[ApiKey]:
    """All, also the revoked, the oldest first."""
    return await store.list_keys()


async def revoke_key(store: Store, key_id: str, *, author: Author) -> bool:
    """False if there is no such key, or it was revoked before. key_id: with or without its `key_`."""
    record_id = RECORD_PREFIX + key_id.removeprefix(RECORD_PREFIX)
    return await store.revoke_key(record_id, now_us=author.now_us, author=author)


def render_keys(keys: Sequence[ApiKey], *, now_us: int) -> str:
    """An aligned table, a key a line; never a secret or its hash."""
    rows = [_COLUMNS, *(_cells(key, now_us) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(key: ApiKey, now_us: int) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        _date(key.created_us),
        ",".join(key.permissions) or "-",
        "all" if key.models is None else ",".join(key.models) or "none",
        "never" if key.expires_us is None else _date(key.expires_us),
        _status(key, now_us),
    )


def _status(key: ApiKey, now_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    if key.expires_us is not None and now_us >= key.expires_us:
        return "expired"
    return "active"


def _date(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M")


def _check_name(name: str) -> None:
    if not (0 < len(name) <= MAX_NAME and name.isprintable() and name.strip()):
        raise InvalidRequest(f"A key's name has 1 to {MAX_NAME} printable characters.", param="name")
