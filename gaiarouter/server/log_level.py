"""The level of the log while the gateway runs: the setting's, until an operator says another one.

Workers share what was said through a file: whichever of them is asked, all of them follow with their next beat, and one
that is started later begins with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from gaiarouter.config.settings import LogLevel

_log = structlog.get_logger("gaiarouter.log")

_FILE: Final = "log-level"
LEVELS: Final[tuple[LogLevel, ...]] = ("debug", "info", "warning", "error")


class LevelInForce:
    """setting: what the configuration says. apply: called with each level that comes into force. shared: the folder
    of all workers; None is one process."""

    def __init__(self, setting: LogLevel, apply: Callable[[LogLevel], None], shared: Path | None = None) -> None:
        self.setting: LogLevel = setting
        self.said: LogLevel | None = None
        self._apply = apply
        self._file = None if shared is None else shared / _FILE
        self._in_force = setting
        self.look()

    @property
    def level(self) -> LogLevel:
        return self.said or self.setting

    def configure(self, setting: LogLevel) -> None:
        """After a reload. What an operator has said stays."""
        self.setting = setting
        self._take_effect()

    def say(self, level: LogLevel | None) -> None:
        """None goes back to the setting."""
        if self._file is not None:
            fresh = self._file.with_suffix(".fresh")
            fresh.write_text(level or "")
            fresh.replace(self._file)
        self.said = level
        self._take_effect()

    def look(self) -> None:
        """Whether another worker was told something."""
        if self._file is not None:
            self.said = _read(self._file)
            self._take_effect()

    def _take_effect(self) -> None:
        if self.level == self._in_force:
            return
        before, self._in_force = self._in_force, self.level
        # said at the louder of the two, so that a log that falls silent tells why
        if LEVELS.index(self.level) > LEVELS.index(before):
            _log.warning("log.level", level_now=self.level, level_before=before)
            self._apply(self.level)
        else:
            self._apply(self.level)
            _log.warning("log.level", level_now=self.level, level_before=before)


def _read(file: Path) -> LogLevel | None:
    try:
        text = file.read_text("ascii")
    except (OSError, ValueError):
        return None
    return next((level for level in LEVELS if level == text), None)
