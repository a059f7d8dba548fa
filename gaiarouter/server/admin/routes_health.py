"""How the targets fare, as this process has seen it: circuits, rests, latencies, and what is under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gaiarouter.routing.breaker import Health, KeyHealth, TargetHealth
from gaiarouter.server.admin.operation import Call, Operation, Schema

_SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
_TARGET: Final[Schema] = {
    "type": "object",
    "required": ["provider", "model", "state", "rests_s", "in_flight", "first_content_ms"],
    "properties": {
        "provider": {"type": "string"},
        "model": {"type": "string", "description": "Its name at the provider."},
        "state": {"type": "string", "enum": ["closed", "half_open", "open"], "description": "Of its circuit breaker."},
        "rests_s": {**_SECONDS, "description": "Seconds for which it is not asked, its circuit apart; 0 is awake."},
        "in_flight": {"type": "integer", "minimum": 0},
        "first_content_ms": {
            "type": ["number", "null"],
            "description": "How long its first content usually takes; null if it has not been measured.",
        },
    },
}
_KEY: Final[Schema] = {
    "type": "object",
    "required": ["provider", "index", "rests_s"],
    "properties": {
        "provider": {"type": "string"},
        "index": {"type": "integer", "minimum": 0, "description": "Its place in `api_key`, from 0."},
        "rests_s": _SECONDS,
    },
}
_ANSWER: Final[Schema] = {
    "title": "RoutesHealth",
    "type": "object",
    "required": ["targets", "resting_keys"],
    "properties": {
        "targets": {"type": "array", "items": _TARGET, "description": "Those that have been asked."},
        "resting_keys": {"type": "array", "items": _KEY, "description": "Keys of providers that have several."},
    },
}


class RoutesHealth:
    """clock: monotonic seconds."""

    def __init__(self, health: Health, clock: Callable[[], float]) -> None:
        self._health = health
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        summary = "How the targets fare: breakers, rests and latencies, in the process that answers"
        return [Operation("GET", "/v1/routes/health", "admin", summary, self._get, _ANSWER)]

    async def _get(self, _: Call) -> Any:
        now = self._clock()
        return {
            "targets": [_target(each) for each in self._health.snapshot(now)],
            "resting_keys": [_key(each) for each in self._health.resting_keys(now)],
        }


def _target(seen: TargetHealth) -> dict[str, Any]:
    return {
        "provider": seen.provider,
        "model": seen.id.removeprefix(f"{seen.provider}/"),
        "state": seen.state,
        "rests_s": round(seen.rests_s, 3),
        "in_flight": seen.in_flight,
        "first_content_ms": None if seen.latency_s is None else round(seen.latency_s * 1000, 1),
    }


def _key(seen: KeyHealth) -> dict[str, Any]:
    return {"provider": seen.provider, "index": seen.index, "rests_s": round(seen.rests_s, 3)}
