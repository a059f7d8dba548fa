"""An endpoint of the control plane as a value: its route, permission, checks and documentation come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gaiarouter.server.admin.access import Actor
from gaiarouter.store.records import Permission

Schema = Mapping[str, Any]
"""JSON Schema 2020-12, as it also stands in /openapi.json. `title` says in words what a pattern expects."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was let in and checked. path, query and body hold what the operation's schemas say, no more.

    body: an empty mapping where there is none. Members that the caller left out are left out.
    """

    actor: Actor
    now_us: int
    request_id: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Operation:
    """handle: returns what is encoded as JSON, or a Text. It raises what the gateway answers, and sees to it that
    nobody sees or changes what is another tenant's: `call.actor` knows.

    permission: what the caller's key needs at the least. query: a schema for each parameter. body: None takes none;
    one without `required` members may be left out. answer: the schema of a good answer, which has `status`.
    may_conflict: 409 is among its answers. may_miss: so is 404, although its path names no record.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    permission: Permission
    summary: str
    handle: Callable[[Call], Awaitable[Any]]
    answer: Schema
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    may_conflict: bool = False
    may_miss: bool = False
    content_types: tuple[str, ...] = ("application/json",)

    @property
    def body_is_required(self) -> bool:
        return self.body is not None and bool(self.body.get("required"))

    @property
    def id(self) -> str:
        """As `post /v1/users`, unique."""
        return f"{self.method.lower()} {self.path}"
