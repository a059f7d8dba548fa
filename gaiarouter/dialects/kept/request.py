"""A request for something kept. It says all in its address, and has no body that anybody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from msgspec import Raw

from gaiarouter.dialects.binding import Binding
from gaiarouter.errors import InvalidRequest

KEPT: Final = "responses.kept"
BINDING: Final = Binding("response_id", ("responses",))
# what else stands in a query is the gateway's, or nobody's
_ASKED: Final = frozenset(
    {"include", "include[]", "include_obfuscation", "starting_after", "stream", "after", "before", "limit", "order"}
)


@dataclass(slots=True)
class KeptHead:
    """Implements dialects.base.RequestHead. model: of the table, by which the caller says whose answer it is; empty
    where it does not.

    handle: as the caller knows it, until `of` gives the provider's own. under: what stands behind it in the address.
    """

    model: str
    method: str
    handle: str
    under: str
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    prompt_bytes: int = 0
    forwarded: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False

    @property
    def path(self) -> str:
        """Under that of Responses, as a provider is asked for it."""
        return f"/{self.handle}{self.under}"

    def of(self, handle: str) -> KeptHead:
        return replace(self, handle=handle)

    def estimated_input_tokens(self) -> int:
        return 0

    def member(self, name: str) -> Raw | None:
        return None

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        return b""

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> KeptHead:
        """There is nothing to edit."""
        return self


def kept_head(method: str, handle: str, under: str, query: Mapping[str, list[str]]) -> KeptHead:
    """under: what is wanted of it, empty for the answer itself."""
    if not handle.isascii() or not handle.replace("-", "").replace("_", "").isalnum():
        raise InvalidRequest("`response_id` is none", param="response_id")
    asked = [(name, value) for name, values in query.items() if name in _ASKED for value in values]
    told = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in asked)
    behind = (f"/{under}" if under else "") + (f"?{told}" if told else "")
    return KeptHead((query.get("model") or [""])[0], method, handle, behind)
