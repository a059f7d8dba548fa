"""The file of bodies: what marked keys say and hear, a JSON object a line. Nobody waits for it.

Lines are written by a thread of their own. What it cannot write (no room on the disk or in the file, too many lines at
once) is dropped, and counted. A file that was moved away is begun anew.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from datetime import UTC, datetime
from typing import Final

import orjson
import structlog

from gaiarouter.config.settings import BodyLog
from gaiarouter.pipeline.recording import Bodies

_log = structlog.get_logger("gaiarouter.log")

_WAITING: Final = 256
"""Lines; each may hold twice the limit."""
_CLOSING_S: Final = 5.0


class BodyFile:
    """Implements pipeline.recording.Keeper. kept, dropped: lines so far. Raises OSError where it cannot be written."""

    def __init__(self, settings: BodyLog) -> None:
        self.limit = settings.limit
        self.kept = 0
        self.dropped = 0
        self._lost = 0
        self._path = settings.path
        self._most = settings.file_limit
        self._file = self._opened()
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._told_of_loss = False
        self._thread = threading.Thread(target=self._write_all, name="bodies", daemon=True)
        self._thread.start()

    def keep(self, bodies: Bodies) -> None:
        try:
            self._waiting.put_nowait(_line(bodies, self.limit))
        except queue.Full:
            self.dropped += 1

    async def close(self) -> None:
        """Writes what waits."""
        await asyncio.to_thread(self._end)

    @property
    def lost(self) -> int:
        """Lines that were dropped, whoever noticed."""
        return self.dropped + self._lost

    def _end(self) -> None:
        try:
            self._waiting.put(None, timeout=_CLOSING_S)
        except queue.Full:
            return  # the disk does not answer, and the thread ends with the process
        self._thread.join(_CLOSING_S)

    def _write_all(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                self._write(line)
            except OSError as error:
                self._lose(error.strerror or type(error).__name__)
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        if not self._is_there():
            os.close(self._file)
            self._file = self._opened()
        if os.fstat(self._file).st_size + len(line) > self._most:
            self._lose("the file has reached `log.bodies.file_limit`: move it away")
            return
        if os.write(self._file, line) < len(line):
            os.write(self._file, b"\n")  # a part of it was all that found room; the next is to begin anew
            raise OSError(0, "no room for the whole line")
        self.kept += 1
        self._told_of_loss = False

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _lose(self, why: str) -> None:
        self._lost += 1
        if not self._told_of_loss:
            self._told_of_loss = True  # once, until there is room again
            _log.error("log.bodies_lost", file=self._path, reason=why)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _line(bodies: Bodies, limit: int) -> bytes:
    sizes = {"request": bodies.request_bytes, "answer": bodies.answer_bytes}
    line = {
        "timestamp": datetime.fromtimestamp(bodies.time_us / 1e6, UTC).isoformat(),
        "request_id": bodies.request_id,
        "key": bodies.key,
        "organization": bodies.organization,
        "model": bodies.model,
        "provider": bodies.provider,
        "model_served": bodies.model_served,
        "request": bodies.request.decode("utf-8", "replace"),
        "request_bytes": bodies.request_bytes,
        "answer": None if bodies.answer is None else bodies.answer.decode("utf-8", "replace"),
        "answer_bytes": bodies.answer_bytes,
        "truncated": [name for name, size in sizes.items() if size > limit],
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
