"""What the gateway signs with. Whoever comes first makes it; all who share the store have the same."""

from __future__ import annotations

from functools import partial
from typing import Final

from gaiarouter.store.database import Database, Unit

_ADD: Final = "INSERT INTO secrets (name, value, created_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING"
_FIND: Final = "SELECT value FROM secrets WHERE name = $1"


class SqlSecrets:
    """Implements SecretTable."""

    _database: Database

    async def secret(self, name: str, otherwise: bytes, *, now_us: int) -> bytes:
        return await self._database.work(partial(_secret, name, otherwise, now_us))


def _secret(name: str, otherwise: bytes, now_us: int) -> Unit[bytes]:
    yield _ADD, (name, otherwise.hex(), now_us)
    ((value,),) = yield _FIND, (name,)
    return bytes.fromhex(str(value))
