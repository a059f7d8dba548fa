"""A request that is only passed through: its model is known, and patched in the caller's own bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gaiarouter.dialects.body import parse
from gaiarouter.dialects.members import HasMembers, JsonObject, edited_members
from gaiarouter.dialects.passed.operations import Operation
from gaiarouter.errors import InvalidRequest


@dataclass(slots=True)
class PassedHead(HasMembers):
    """Implements dialects.base.RequestHead. units: as of operations.Asked.

    Whether the answer is a stream is the target's to say: nothing depends on what was asked for.
    """

    model: str
    prompt_bytes: int
    operation: Operation
    units: Mapping[str, float]
    _weight: float
    _object: JsonObject
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    forwarded: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False

    def estimated_input_tokens(self) -> int:
        return int(self._weight) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        return self._object.replaced("model", msgspec.json.encode(model))

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> PassedHead:
        """`system` says nothing to a model that holds no conversation."""
        body = edited_members(self._object, default=default, set_=set_, drop=drop)
        return self if body is None else read_request(body, self.operation)


def read_request(body: bytes, operation: Operation) -> PassedHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    asked, members = parse(body, operation.decode)
    model = operation.model if asked.model is None else asked.model
    if model is None:
        raise InvalidRequest("`model` is missing", code="missing_field", param="model")
    if not model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    return PassedHead(model, len(body), operation, asked.units(), asked.weight(), members)
