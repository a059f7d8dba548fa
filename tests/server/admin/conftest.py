"""A gateway with an operator: the admin key of the environment, an organization, and keys of each permission."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gaiarouter.store.records import Permission
from tests.gateway.running import Reply, RunningGateway, Starter
from tests.support.upstream import BOUND_S

ADMIN_KEY = "operator-0f9c1e7ad2b84f63a5e1c0d97b"


@dataclass
class Operator:
    """Speaks to a gateway with one key."""

    gateway: RunningGateway
    key: str

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        """body: bytes go out as they are, all else as JSON."""
        headers = {"authorization": f"Bearer {self.key if key is None else key}"}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            headers["content-type"] = "application/json"
        return await self.gateway.request(method, path, headers=headers, data=data)

    async def until_answered(self, key: str, status: int) -> None:
        """Returns when a call with the key gets this status: what was changed has come to this process's memory."""
        async with asyncio.timeout(BOUND_S):
            while (await self.gateway.chat("demo", headers={"authorization": f"Bearer {key}"})).status != status:
                pass

    async def made(self, path: str, **body: Any) -> Any:
        reply = await self.ask("POST", path, body)
        assert reply.status == 201, reply.body
        return reply.json()

    async def organization(self, name: str = "Acme", **members: Any) -> str:
        organization_id: str = (await self.made("/v1/organizations", name=name, **members))["id"]
        return organization_id

    async def user(self, organization: str, email: str = "ada@acme.example", **members: Any) -> str:
        user_id: str = (await self.made("/v1/users", organization=organization, email=email, **members))["id"]
        return user_id

    async def api_key(self, *permissions: Permission, **members: Any) -> Any:
        return await self.made("/v1/api-keys", **{"name": "k", "permissions": permissions, **members})


Admit = Callable[..., Awaitable[Operator]]


@pytest.fixture
def admit(start: Starter, monkeypatch: pytest.MonkeyPatch) -> Admit:
    """Starts a gateway whose operator holds the admin key."""

    async def admit(bases: Mapping[str, str] | None = None, **changes: Any) -> Operator:
        monkeypatch.setenv("GAIAROUTER_ADMIN_KEY", ADMIN_KEY)
        return Operator(await start(bases, from_file=True, **changes), ADMIN_KEY)

    return admit
