"""The file that a process was started with, to be read again when it changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gaiarouter.config.loader import Loaded

State = tuple[tuple[int, ...] | None, ...]
"""Of the file and of the `.env` beside it, what changes with their content; None for one that cannot be looked at."""


class ConfigFile:
    """read: reads the file as at the start, with the same options."""

    def __init__(self, path: str | os.PathLike[str], read: Callable[[], Loaded]) -> None:
        self._paths = (Path(path), Path(path).parent / ".env")
        self._read = read
        self._seen: State = ()

    def load(self) -> Loaded:
        # looked at first: what changes while it is read is read again
        self._seen = self.look()
        return self._read()

    def look(self) -> State:
        """Follows links: a Kubernetes ConfigMap changes by a link to another folder."""
        return tuple(_state(path) for path in self._paths)

    def has_changed(self) -> bool:
        """Since it was last read."""
        return self.look() != self._seen


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
