"""GET and PATCH /v1/log-level: how much is logged, while the gateway runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gaiarouter.errors import InvalidRequest
from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.log_level import LEVELS, LevelInForce

_PATH: Final = "/v1/log-level"
_LEVEL: Final[Schema] = {"type": "string", "enum": list(LEVELS)}
_ANSWER: Final[Schema] = {
    "title": "LogLevel",
    "type": "object",
    "required": ["level", "setting"],
    "properties": {
        "level": {**_LEVEL, "description": "What is in force."},
        "setting": {**_LEVEL, "description": "What the configuration says: `log.level`."},
    },
}
_BODY: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["level"],
    "properties": {
        "level": {
            "type": ["string", "null"],
            "enum": [*LEVELS, None],
            "description": "Until the gateway is started again; null goes back to the setting.",
        },
    },
    "examples": [{"level": "debug"}],
}


class LogLevelOperations:
    """level: None where the log is not the gateway's own, as in another application."""

    def __init__(self, level: LevelInForce | None) -> None:
        self._level = level

    def operations(self) -> Sequence[Operation]:
        return (
            Operation("GET", _PATH, "admin", "How much is logged", self.get, _ANSWER),
            Operation("PATCH", _PATH, "admin", "Log more, or less; all workers follow within a second", self.patch,
                      _ANSWER, body=_BODY),
        )  # fmt: skip

    async def get(self, _: Call) -> Mapping[str, Any]:
        level = self._own()
        return {"level": level.level, "setting": level.setting}

    async def patch(self, call: Call) -> Mapping[str, Any]:
        self._own().say(call.body["level"])
        return await self.get(call)

    def _own(self) -> LevelInForce:
        if self._level is None:
            raise InvalidRequest(
                "This gateway runs inside another application, whose log it writes to.", code="no_own_log"
            )
        return self._level
