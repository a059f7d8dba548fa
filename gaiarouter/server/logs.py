"""The log: one JSON object a line on standard output, from our own code and from the libraries alike."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, TextIO

import orjson
import structlog

MAX_FIELD: Final = 256


def configure(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """stream: standard output by default. A stream that breaks loses lines, never a request."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _bound,
    ]
    sink = _Sink(stream or sys.stdout)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sink, shared)
    logging.basicConfig(handlers=[handler], level=level, force=True)


class _Sink:
    """Writes whole lines. Standard output may be a closed pipe: serving goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.dropped = 0

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += 1

    debug = info = warning = error = critical = exception = failure = msg


class _Handler(logging.Handler):
    """Lines of libraries, in the same form."""

    def __init__(self, sink: _Sink, processors: list[structlog.typing.Processor]) -> None:
        super().__init__()
        self._sink = sink
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        self._sink.msg(_dumps(event))


def _bound(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A field that callers or providers fill cannot flood the log; a traceback is ours and stays whole."""
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_FIELD and name != "exception":
            event[name] = value[: MAX_FIELD - 1] + "…"
    return event


def _dumps(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()
