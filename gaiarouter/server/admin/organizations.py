from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gaiarouter.config.settings import Limits
from gaiarouter.server.admin.ids import new_id, require_id
from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.admin.plane import nothing_here
from gaiarouter.server.admin.shapes import (
    BUDGET,
    DESCRIPTION,
    ID,
    LIMITS,
    MODELS,
    NAME,
    PAGING,
    SEARCH,
    TIME,
    TIME_OR_NULL,
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
from gaiarouter.store.records import Author, Filter, Organization
from gaiarouter.store.tables.protocols import OrganizationTable

_PATH: Final = "/v1/organizations"
_UNLIMITED: Final = Limits(requests=None, tokens=None, concurrent=None)
"""What an organization has that says nothing: its keys have limits of their own."""

_FIELDS: Final[Mapping[str, Schema]] = {
    "name": {**NAME, "description": "Unique among those that are not deleted."},
    "description": DESCRIPTION,
    "status": {
        "type": "string",
        "enum": ["active", "suspended"],
        "description": "The keys of a suspended one stop at once.",
    },
    "limits": {**LIMITS, "description": "For its keys in all, beside each key's own. Default: unlimited."},
    "budget": BUDGET,
    "models": MODELS,
}
_NEW: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": _FIELDS,
    "examples": [{"name": "Harbour", "budget": {"amount_usd": 500, "period": "month"}, "models": ["gpt-*"]}],
}
_CHANGES: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "description": "What is left out stays; null takes a setting away.",
    "properties": _FIELDS,
    "examples": [{"limits": {"requests": "6000/min"}}],
}
ORGANIZATION: Final[Schema] = {
    "title": "Organization",
    "type": "object",
    "required": ["id", "name", "status", "created_at", "updated_at", "deleted_at"],
    "properties": {
        **_FIELDS,
        "id": ID,
        "status": {"type": "string", "enum": ["active", "suspended", "deleted"]},
        "created_at": TIME,
        "updated_at": TIME,
        "deleted_at": TIME_OR_NULL,
    },
}
_QUERY: Final[Mapping[str, Schema]] = {
    **PAGING,
    "status": {
        "type": "string",
        "enum": ["active", "suspended", "deleted"],
        "description": "Without it: all but the deleted.",
    },
    "search": {**SEARCH, "description": "In the name or the id."},
}


class Organizations:
    def __init__(self, store: OrganizationTable) -> None:
        self._store = store

    def operations(self) -> Sequence[Operation]:
        one = _PATH + "/{id}"
        return (
            Operation("POST", _PATH, "admin", "Make an organization", self.create, ORGANIZATION,
                      status=201, body=_NEW, may_conflict=True),
            Operation("GET", _PATH, "admin", "List organizations, the oldest first", self.list, list_of(ORGANIZATION),
                      query=_QUERY),
            Operation("GET", one, "read", "An organization; without `admin` one's own", self.find, ORGANIZATION),
            Operation("PATCH", one, "admin", "Change an organization", self.change, ORGANIZATION,
                      body=_CHANGES, may_conflict=True),
            Operation("DELETE", one, "admin", "Delete an organization: its keys stop, its usage stays", self.delete,
                      ORGANIZATION),
        )  # fmt: skip

    async def create(self, call: Call) -> Mapping[str, Any]:
        blank = Organization(new_id("org_"), "", call.now_us, call.now_us)
        organization = _edited(blank, call.body)
        await self._store.add_organization(organization, author_of(call))
        return organization_view(organization)

    async def list(self, call: Call) -> Mapping[str, Any]:
        which = Filter(status=call.query.get("status"), search=call.query.get("search"))
        total = await self._store.count_organizations(which)
        found = await self._store.list_organizations(which, page_of(call.query))
        return listing(call.query, [organization_view(each) for each in found], total)

    async def find(self, call: Call) -> Mapping[str, Any]:
        organization_id = require_id(call, "org_", "organization")
        if not call.actor.sees(organization_id):
            raise nothing_here("organization")
        organization = await self._store.find_organization(organization_id)
        if organization is None:
            raise nothing_here("organization")
        return organization_view(organization)

    async def change(self, call: Call) -> Mapping[str, Any]:
        organization_id = require_id(call, "org_", "organization")
        return organization_view(
            await self._store.change_organization(
                organization_id, lambda before: _edited(before, call.body), author_of(call)
            )
        )

    async def delete(self, call: Call) -> Mapping[str, Any]:
        organization_id = require_id(call, "org_", "organization")
        return organization_view(await self._store.delete_organization(organization_id, author_of(call)))


def author_of(call: Call) -> Author:
    return Author(call.actor.id, call.now_us, call.request_id or None)


def organization_view(organization: Organization) -> Mapping[str, Any]:
    return {
        "id": organization.id,
        "name": organization.name,
        "description": organization.description,
        "status": "deleted" if organization.deleted_us is not None else organization.status,
        "limits": limits_view(organization.limits),
        "budget": budget_view(organization.budget),
        "models": organization.models,
        "created_at": time_text(organization.created_us),
        "updated_at": time_text(organization.updated_us),
        "deleted_at": time_text(organization.deleted_us),
    }


def _edited(before: Organization, body: Mapping[str, Any]) -> Organization:
    return replace(
        before,
        name=body.get("name", before.name),
        description=body.get("description", before.description),
        status=body.get("status", before.status),
        limits=limits_of(body["limits"], now=before.limits, default=_UNLIMITED) if "limits" in body else before.limits,
        budget=budget_of(body["budget"]) if "budget" in body else before.budget,
        models=globs_of(body["models"]) if "models" in body else before.models,
    )
