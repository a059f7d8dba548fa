"""The file that a process was started with, to be read again when it changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from gaiarouter.config.loader import Loaded

_NAME: Final = "gaiarouter.yaml"

State = tuple[tuple[int, ...] | None, ...]
"""Of the file and of the `.env` beside it, what changes with their content; None for one that cannot be looked at."""


class ConfigFile:
    """read: reads the file at a path as at the start, with the same options. kept: a folder for a copy of the last one
    without a mistake; what starts while the file has one begins with that."""

    def __init__(
        self, path: str | os.PathLike[str], read: Callable[[Path], Loaded], *, kept: Path | None = None
    ) -> None:
        self._path = Path(path)
        self._read = read
        self._kept = kept
        self._seen: State = ()
        self.is_stale = False
        """It was begun with the copy."""

    def load(self) -> Loaded:
        # looked at first: what changes while it is read is read again
        self._seen = self.look()
        return self._read(self._path)

    def begin(self) -> Loaded:
        """As `load`, or else the copy, with the file's mistakes as warnings."""
        loaded = self.load()
        if loaded.settings is not None or self._kept is None or not self._kept.is_dir():
            return loaded
        kept = self._read(self._kept / _NAME)
        if kept.settings is None:
            return loaded
        self.is_stale = True
        settings = replace(kept.settings, path=os.path.abspath(self._path))
        return Loaded(settings, tuple(replace(each, severity="warning") for each in loaded.problems))

    def keep_in(self, folder: Path) -> None:
        self._kept = folder
        self.keep()

    def keep(self) -> None:
        """After a load without a mistake. A file that has changed since is not what was loaded, and will be again."""
        if self._kept is None:
            return
        fresh = Path(tempfile.mkdtemp(prefix="configuration-", dir=self._kept.parent))
        for path, name in zip(self._paths(), (_NAME, ".env"), strict=True):
            if path.is_file():
                (fresh / name).write_bytes(path.read_bytes())
        if self.has_changed():
            shutil.rmtree(fresh)
            return
        shutil.rmtree(self._kept, ignore_errors=True)
        try:
            fresh.rename(self._kept)
        except OSError:
            shutil.rmtree(fresh)  # another worker has put its own there, of the same file

    def look(self) -> State:
        """Follows links: a Kubernetes ConfigMap changes by a link to another folder."""
        return tuple(_state(path) for path in self._paths())

    def has_changed(self) -> bool:
        """Since it was last read."""
        return self.look() != self._seen

    def _paths(self) -> tuple[Path, Path]:
        return (self._path, self._path.parent / ".env")


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
