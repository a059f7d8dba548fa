"""POST /v1/config/reload: the file is read again, as after SIGHUP; the answer says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gaiarouter.errors import InvalidRequest
from gaiarouter.server.admin.operation import Call, Operation, Schema

_MISTAKES_TOLD: Final = 5
_WORDS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_ANSWER: Final[Schema] = {
    "title": "Reload",
    "type": "object",
    "required": ["config", "changed", "needs_restart", "warnings"],
    "properties": {
        "config": {"type": "string", "description": "A short hash of the file in force; /health shows it too."},
        "changed": {"type": "boolean"},
        "needs_restart": {**_WORDS, "description": "Settings that differ in the file and stay until a restart."},
        "warnings": _WORDS,
    },
}


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of a reload. fingerprint: of the configuration in force now. mistakes: why it is still the old one;
    each begins with its place, as `FILE:LINE:COLUMN`, and holds no secret. needs_restart: settings that differ in the
    file and go on as they were, as `server.port`."""

    fingerprint: str
    changed: bool
    needs_restart: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        return not self.mistakes


class ConfigReload:
    """reload: None where there is no file to read again."""

    def __init__(self, reload: Callable[[], Awaitable[Reloaded]] | None) -> None:
        self._reload = reload

    def operations(self) -> Sequence[Operation]:
        summary = "Read the configuration again; a file with a mistake changes nothing"
        return (Operation("POST", "/v1/config/reload", "admin", summary, self.post, _ANSWER),)

    async def post(self, _: Call) -> Mapping[str, Any]:
        if self._reload is None:
            raise InvalidRequest(
                "This gateway was not started from a file, so there is none to read again.", code="no_config_file"
            )
        outcome = await self._reload()
        if not outcome.succeeded:
            raise InvalidRequest(_refusal(outcome.mistakes), code="invalid_config")
        return {
            "config": outcome.fingerprint,
            "changed": outcome.changed,
            "needs_restart": outcome.needs_restart,
            "warnings": outcome.warnings,
        }


def _refusal(mistakes: tuple[str, ...]) -> str:
    """All of them, as far as an error may be long."""
    told = mistakes[:_MISTAKES_TOLD]
    more = f" | and {len(mistakes) - len(told)} more" if len(mistakes) > len(told) else ""
    return f"Nothing was changed: {' | '.join(told)}{more}"
