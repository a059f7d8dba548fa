"""The log: one JSON object a line on standard output, from our own code and from the libraries alike."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import sys
import threading
import time
from typing import Any, BinaryIO, Final, Protocol

import orjson
import structlog

from gaiarouter.dialects.redaction import redact
from gaiarouter.server.outlet import Outlet

MAX_FIELD: Final = 256
MAX_TRACEBACK: Final = 16_384
"""Characters; the end is kept, where the error stands."""


def configure(stream: BinaryIO | None = None, *, level: int = logging.INFO) -> Sink:
    """stream: standard output by default. One that breaks, or that nobody reads, loses lines, never a request."""
    render, sink = _Renderer(), Sink(stream or Outlet(sys.stdout.fileno()))
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(sink),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Handler(sink, render)], level=level, force=True)
    if stream is None:
        atexit.register(sink.flush)
    return sink


class Stream(Protocol):
    def write(self, line: bytes, /) -> object: ...

    def flush(self) -> object: ...


class Sink:
    """Standard output may be a closed pipe or a full disk: serving goes on. `dropped`: lines that were lost."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        self.dropped = 0

    def write_soon(self, line: bytes) -> None:
        """With the other lines of the same turn of the event loop, where one runs: a write costs more than a line."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write(line)
            return
        with self._lock:
            self._waiting.append(line)
            is_first = len(self._waiting) == 1
        if is_first:
            loop.call_soon(self.flush)

    def write(self, line: bytes) -> None:
        with self._lock:
            self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, []
            if not lines:
                return
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                self.dropped += len(lines)


class _Lines:
    """The logger under structlog's: what the renderer made goes to the sink, at once unless it is everyday news."""

    def __init__(self, sink: Sink) -> None:
        self.debug = self.info = sink.write_soon
        self.warning = self.error = self.critical = self.exception = sink.write


class _Handler(logging.Handler):
    """Lines of libraries, in the same form."""

    def __init__(self, sink: Sink, render: _Renderer) -> None:
        super().__init__()
        self._sink = sink
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        self._sink.write(self._render(None, record.levelname.lower(), event))


class _Renderer:
    """structlog's only processor: a line's level, time and bounds in one go, for there is one for every request."""

    def __init__(self) -> None:
        self._second = 0
        self._up_to_second = ""

    def __call__(self, logger: Any, level: str, event: structlog.typing.EventDict) -> bytes:
        event["level"] = level
        event["timestamp"] = self._now()
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, level, event)
        for name, value in event.items():
            if value.__class__ is str and len(value) > MAX_FIELD:
                event[name] = _traceback(value) if name == "exception" else value[: MAX_FIELD - 1] + "…"
            elif name == "exception":
                event[name] = _traceback(value)
        return _dumps(event) + b"\n"

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._up_to_second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._up_to_second}.{int((now - second) * 1e6):06d}Z"


def _traceback(text: str) -> str:
    """One that quotes a key does not tell it."""
    return "\n".join(redact(line) for line in text[-MAX_TRACEBACK:].splitlines())


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        # half a surrogate pair, a number of more than 64 bits: what is logged must never be what fails
        return json.dumps(value, default=str).encode()
