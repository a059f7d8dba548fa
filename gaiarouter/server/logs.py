"""The log: one JSON object a line on standard output, from our own code and from the libraries alike."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, BinaryIO, Final, Protocol, cast

import orjson
import structlog

from gaiarouter.dialects.redaction import redact
from gaiarouter.server.outlet import Outlet

MAX_FIELD: Final = 256
MAX_TRACEBACK: Final = 16_384
"""Characters; the end is kept, where the error stands."""


def configure(stream: BinaryIO | None = None, *, level: int = logging.INFO) -> Sink:
    """stream: standard output by default. One that breaks, or that nobody reads, loses lines, never a request."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _bound,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]
    sink = Sink(stream or Outlet(sys.stdout.fileno()))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # the logger writes and flushes, no more
        logger_factory=structlog.BytesLoggerFactory(file=cast(BinaryIO, sink)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Handler(sink, processors)], level=level, force=True)
    return sink


class Stream(Protocol):
    def write(self, line: bytes, /) -> object: ...

    def flush(self) -> object: ...


class Sink:
    """Standard output may be a closed pipe or a full disk: serving goes on. `dropped`: lines that were lost."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.dropped = 0

    def write(self, line: bytes) -> None:
        try:
            self._stream.write(line)
        except (OSError, ValueError):
            self.dropped += 1

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += 1


class _Handler(logging.Handler):
    """Lines of libraries, in the same form."""

    def __init__(self, sink: Sink, processors: list[structlog.typing.Processor]) -> None:
        super().__init__()
        self._sink = sink
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        self._sink.write(event + b"\n")
        self._sink.flush()


def _bound(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What callers or providers fill cannot flood the log, and a traceback that quotes a key does not tell it."""
    for name, value in event.items():
        if name == "exception":
            event[name] = "\n".join(redact(line) for line in value[-MAX_TRACEBACK:].splitlines())
        elif isinstance(value, str) and len(value) > MAX_FIELD:
            event[name] = value[: MAX_FIELD - 1] + "…"
    return event


def _dumps(value: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        # half a surrogate pair, a number of more than 64 bits: what is logged must never be what fails
        return json.dumps(value, default=str).encode()
