"""The line of the log that every request leaves, however it ended. docs/logs.md says what its fields are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET, Struct, UnsetType

EVENT: Final = "request.end"


class RequestLine(Struct, frozen=True, gc=False):
    """What is not known is None; the last three stand only where there is something to say."""

    request_id: str
    key: str
    organization: str | None
    source: str
    dialect: str
    route: str | None
    model: str | None
    provider: str | None
    model_served: str | None
    attempts: list[str]
    status: int
    outcome: str
    code: str | None
    stream: bool
    duration_ms: float
    ttft_ms: float | None
    upstream_ms: float | None
    tokens_in: int | None
    tokens_cached: int | None
    tokens_out: int | None
    tokens_reasoning: int | None
    estimated: bool
    cost_nano_usd: int | None
    trace_id: str | UnsetType = UNSET
    units: Mapping[str, float] | UnsetType = UNSET
    provider_status: int | UnsetType = UNSET
