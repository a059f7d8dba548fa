from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gaiarouter.config.settings import Limits
from gaiarouter.errors import Forbidden, InvalidRequest
from gaiarouter.server.admin.access import Actor
from gaiarouter.server.admin.check import InvalidFields, parse_time
from gaiarouter.server.admin.ids import require_id
from gaiarouter.server.admin.key_schemas import API_KEY, CHANGED_KEY, KEY_QUERY, MADE_KEY, NEW_KEY, ROTATION
from gaiarouter.server.admin.operation import Call, Operation
from gaiarouter.server.admin.organizations import author_of
from gaiarouter.server.admin.plane import nothing_here
from gaiarouter.server.admin.shapes import (
    budget_of,
    budget_view,
    globs_of,
    limits_of,
    limits_view,
    list_of,
    listing,
    page_of,
    time_text,
)
from gaiarouter.store.base import Store
from gaiarouter.store.commands import mint_key
from gaiarouter.store.keys import RECORD_PREFIX, mint
from gaiarouter.store.records import ApiKey, KeyFilter, PreviousSecret

_PATH: Final = "/v1/api-keys"
_OVERLAP_S: Final = 86_400
"""How long a rotated key's old secret goes on working where the caller does not say."""
_END_OF_TIME_US: Final = 253_402_300_800_000_000  # 10000-01-01


class ApiKeys:
    """defaults: the configuration's limits as they are now. pepper: that of new secrets."""

    def __init__(self, store: Store, *, defaults: Callable[[], Limits], pepper: bytes | None) -> None:
        self._store = store
        self._defaults = defaults
        self._pepper = pepper

    def operations(self) -> Sequence[Operation]:
        one = _PATH + "/{id}"
        return (
            Operation("POST", _PATH, "write", "Make a key; its text is in this answer and nowhere else", self.create,
                      MADE_KEY, status=201, body=NEW_KEY),
            Operation("GET", _PATH, "write", "List keys, the oldest first", self.list, list_of(API_KEY),
                      query=KEY_QUERY),
            Operation("GET", one, "write", "A key's record", self.find, API_KEY),
            Operation("PATCH", one, "write", "Change a key", self.change, API_KEY,
                      body=CHANGED_KEY, may_conflict=True),
            Operation("DELETE", one, "write", "Revoke a key: it stops at once and for good", self.revoke, API_KEY),
            Operation("POST", one + "/rotate", "write", "Give a key a new secret; the old one works for a while",
                      self.rotate, MADE_KEY, body=ROTATION, may_conflict=True),
        )  # fmt: skip

    async def create(self, call: Call) -> Mapping[str, Any]:
        actor, organization = call.actor, call.body.get("organization", call.actor.organization)
        if not actor.sees(organization):
            raise InvalidRequest("There is no such organization.", param="organization")
        blank = ApiKey("", "", b"", call.now_us, organization=organization, updated_us=call.now_us)
        key = self._edited(blank, call)
        minted = await mint_key(self._store, key, pepper=self._pepper, author=author_of(call))
        return {**key_view(replace(key, id=minted.id), call.now_us), "key": minted.text}

    async def list(self, call: Call) -> Mapping[str, Any]:
        query, actor = call.query, call.actor
        organization = query.get("organization")
        if not actor.may("admin"):
            if organization is not None and organization != actor.organization:
                return listing(query, [], 0)
            organization = actor.organization or ""
        which = KeyFilter(
            organization=organization,
            owner=query.get("owner"),
            status=query.get("status"),
            with_revoked=False,
            search=query.get("search"),
            now_us=call.now_us,
        )
        total = await self._store.count_keys(which)
        found = await self._store.list_keys(which, page_of(query))
        return listing(query, [key_view(each, call.now_us) for each in found], total)

    async def find(self, call: Call) -> Mapping[str, Any]:
        key = await self._store.find_key(require_id(call, RECORD_PREFIX, "key"))
        if key is None or not call.actor.sees(key.organization):
            raise nothing_here("key")
        return key_view(key, call.now_us)

    async def change(self, call: Call) -> Mapping[str, Any]:
        def edit(before: ApiKey) -> ApiKey:
            _require_reach(call.actor, before)
            return self._edited(before, call)

        key_id = require_id(call, RECORD_PREFIX, "key")
        return key_view(await self._store.change_key(key_id, edit, author_of(call), "update"), call.now_us)

    async def revoke(self, call: Call) -> Mapping[str, Any]:
        def edit(before: ApiKey) -> ApiKey:
            _require_reach(call.actor, before)
            return before if before.revoked_us is not None else replace(before, revoked_us=call.now_us)

        key_id = require_id(call, RECORD_PREFIX, "key")
        return key_view(await self._store.change_key(key_id, edit, author_of(call), "revoke"), call.now_us)

    async def rotate(self, call: Call) -> Mapping[str, Any]:
        until_us = call.now_us + int(call.body.get("overlap_seconds", _OVERLAP_S)) * 1_000_000
        key_id = require_id(call, RECORD_PREFIX, "key")
        minted = mint(public_id=key_id.removeprefix(RECORD_PREFIX), pepper=self._pepper)

        def edit(before: ApiKey) -> ApiKey:
            _require_reach(call.actor, before)
            overlap = PreviousSecret(before.secret_hash, before.peppered, until_us)
            return replace(
                before,
                secret_hash=minted.secret_hash,
                peppered=self._pepper is not None,
                previous=overlap if until_us > call.now_us else None,
            )

        key = await self._store.change_key(key_id, edit, author_of(call), "rotate")
        return {**key_view(key, call.now_us), "key": minted.text}

    def _edited(self, before: ApiKey, call: Call) -> ApiKey:
        body = call.body
        permissions = tuple(body.get("permissions", before.permissions))
        if not all(call.actor.may(permission) for permission in permissions):
            raise Forbidden("A key cannot give permissions that it does not have.", code="permission_required")
        return replace(
            before,
            name=body.get("name", before.name),
            description=body.get("description", before.description),
            owner=body.get("owner", before.owner),
            permissions=permissions,
            models=globs_of(body["models"]) if "models" in body else before.models,
            limits=self._limits(before, body),
            budget=budget_of(body["budget"]) if "budget" in body else before.budget,
            inference=body.get("inference", before.inference),
            unsupported=body.get("unsupported", before.unsupported),
            log_bodies=body.get("log_bodies", before.log_bodies),
            status=body.get("status", before.status),
            expires_us=_expiry(body["expires_at"], call.now_us) if "expires_at" in body else before.expires_us,
        )

    def _limits(self, before: ApiKey, body: Mapping[str, Any]) -> Limits | None:
        if "limits" not in body:
            return before.limits
        return limits_of(body["limits"], now=before.limits, default=self._defaults())


def key_view(key: ApiKey, now_us: int) -> Mapping[str, Any]:
    """Never a secret, nor its hash."""
    overlaps = key.previous is not None and key.previous.until_us > now_us
    return {
        "id": key.id,
        "name": key.name,
        "description": key.description,
        "organization": key.organization,
        "owner": key.owner,
        "permissions": key.permissions,
        "models": key.models,
        "limits": limits_view(key.limits),
        "budget": budget_view(key.budget),
        "inference": key.inference,
        "unsupported": key.unsupported,
        "log_bodies": key.log_bodies,
        "status": _status(key, now_us),
        "created_at": time_text(key.created_us),
        "updated_at": time_text(key.updated_us),
        "expires_at": time_text(key.expires_us),
        "revoked_at": time_text(key.revoked_us),
        "last_used_at": time_text(key.last_used_us),
        "previous_secret_until": time_text(key.previous.until_us) if key.previous and overlaps else None,
    }


def _status(key: ApiKey, now_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    if key.status == "disabled":
        return "disabled"
    return "expired" if key.expires_us is not None and now_us >= key.expires_us else "active"


def _require_reach(actor: Actor, key: ApiKey) -> None:
    """Who holds a key with more permissions has them: so it is not for those with fewer to rotate or change it."""
    if not actor.sees(key.organization):
        raise nothing_here("key")
    if not all(actor.may(permission) for permission in key.permissions):
        raise Forbidden("This key has permissions that yours does not have.", code="permission_required")


def _expiry(text: str | None, now_us: int) -> int | None:
    if text is None:
        return None
    time_us = parse_time(text)
    if not now_us < time_us < _END_OF_TIME_US:
        raise InvalidFields([("expires_at", "must lie in the future")])
    return time_us
