"""Who is calling the control plane, and what they may.

`read`, `write` and `admin` hold each other, in this order. A caller without `admin` is of one organization, or of none,
and what is not of the same is to it as if it did not exist.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gaiarouter.config.secret import Secret
from gaiarouter.errors import Forbidden, Unauthenticated
from gaiarouter.pipeline.auth import KEY_PREFIX
from gaiarouter.server.credentials import credentials
from gaiarouter.server.handler import Service
from gaiarouter.server.source import source_of
from gaiarouter.store.records import Permission, may


@dataclass(frozen=True, slots=True)
class Actor:
    """id: of a key, or the name of what is none. organization: what all that it sees belongs to, unless it is admin."""

    id: str
    permissions: tuple[Permission, ...]
    organization: str | None = None

    def may(self, wanted: Permission) -> bool:
        return may(self.permissions, wanted)

    def sees(self, organization: str | None) -> bool:
        return self.may("admin") or organization == self.organization


ADMIN_KEY = Actor("admin key", ("admin",))
"""Whoever shows GAIAROUTER_ADMIN_KEY."""
COMMAND_LINE = Actor("cli", ("admin",))


class Access:
    """service: read at each call, so that a reload changes what callers are known by."""

    def __init__(self, service: Callable[[], Service], *, admin_key: Secret | None = None) -> None:
        self._service = service
        self._admin_digest = None if admin_key is None else _digest(admin_key.reveal())

    async def actor(self, request: web.Request) -> Actor:
        """Raises Unauthenticated, LimitExceeded and Unavailable."""
        sent, source = credentials(request.headers), partial(self.source, request)
        if self._is_admin_key(sent):
            return ADMIN_KEY
        auth = self._service().auth
        if sent and not any(text.startswith(KEY_PREFIX) for text in sent):
            auth.guessed(source, "control_plane")  # at the admin key
            raise Unauthenticated
        key = await auth.identify(sent, source, "control_plane")
        if key is None:  # which is a caller where models are for everyone, though not here
            auth.on_refused("no_key", "control_plane", source)
            raise Unauthenticated
        return Actor(key.id, key.permissions, key.organization)

    def refused(self, actor: Actor) -> None:
        """It asked for what it may not do."""
        self._service().auth.on_refused("no_permission", "control_plane", lambda: actor.id)

    def source(self, request: web.Request) -> str:
        """The address that it came from, as far as that can be trusted."""
        return source_of(request, self._service().settings.server)

    def _is_admin_key(self, sent: Sequence[str]) -> bool:
        digest = self._admin_digest
        return digest is not None and any(hmac.compare_digest(_digest(text), digest) for text in sent)


def require(actor: Actor, wanted: Permission) -> None:
    """Raises Forbidden."""
    if actor.may(wanted):
        return
    if wanted == "admin":
        raise Forbidden("This needs a key with the permission `admin`.", code="admin_required")
    raise Forbidden(f"This needs a key with the permission `{wanted}`.", code="permission_required")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
