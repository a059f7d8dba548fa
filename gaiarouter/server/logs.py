"""The log, from our own code and from the libraries alike: configured once a process, its level at any time."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from gaiarouter.config.settings import LogFormat, LogLevel
from gaiarouter.server.lines import Json, Render, Words
from gaiarouter.server.outlet import Outlet
from gaiarouter.server.sink import Sink, Stream

NUMBERS: Final[Mapping[LogLevel, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_STANDARD_OUTPUT: Final = 1


class Log:
    """What is said of at least `level` becomes a line. sink: where lines go."""

    def __init__(self, sink: Sink, render: Render, level: LogLevel) -> None:
        self.sink = sink
        self.render = render
        self.level: LogLevel = level
        self.least = NUMBERS[level]

    def set_level(self, level: LogLevel) -> None:
        self.level, self.least = level, NUMBERS[level]
        logging.getLogger().setLevel(self.least)


def configure(stream: BinaryIO | None = None, *, level: LogLevel = "info", form: LogFormat = "json") -> Log:
    """stream: standard output by default. One that breaks, or that nobody reads, loses lines, never a request."""
    terminal = stream is None and _is_terminal()
    words = form == "console" or (form == "auto" and terminal)
    log = Log(Sink(stream or _standard_output()), Words(colours=terminal) if words else Json(), level)
    structlog.configure(
        processors=[],
        wrapper_class=Logger,
        logger_factory=lambda *_: log,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Handler(log)], level=log.least, force=True)
    if stream is None:
        atexit.register(log.sink.flush)
    return log


class Logger(structlog.BoundLoggerBase):
    """What structlog gives out: an encode and a write for each line. A chain of processors would cost as much again,
    and the stock loggers have their level for good."""

    _logger: Log

    def debug(self, event: str, **fields: Any) -> None:
        self._soon("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._soon("info", event, fields)

    def info_of(self, event: str, line: msgspec.Struct) -> None:
        """As `info`, what the fields are being known beforehand."""
        log = self._logger
        if log.least <= logging.INFO:
            log.sink.write_soon(log.render.shaped("info", event, line))

    def warning(self, event: str, **fields: Any) -> None:
        self._at_once("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._at_once("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        self._at_once("error", event, {"exc_info": True, **fields})

    def _soon(self, level: LogLevel, event: str, fields: dict[str, Any]) -> None:
        """With the other lines of this turn: everyday news may wait so long."""
        log = self._logger
        if log.least <= NUMBERS[level]:
            log.sink.write_soon(log.render(level, event, {**self._context, **fields} if self._context else fields))

    def _at_once(self, level: LogLevel, event: str, fields: dict[str, Any]) -> None:
        log = self._logger
        if log.least <= NUMBERS[level]:
            log.sink.write(log.render(level, event, {**self._context, **fields}))


def teller(name: str, event: str) -> Callable[[msgspec.Struct], None]:
    """Logs lines of one shape. Where the log is another program's, which has us inside, they come as any others do."""
    log = structlog.get_logger(name).bind()
    if isinstance(log, Logger):
        return partial(log.info_of, event)
    return lambda line: log.info(event, **msgspec.to_builtins(line))


class _Handler(logging.Handler):
    """Lines of libraries, in the same form."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._log.sink.write(self._log.render(record.levelname.lower(), record.getMessage(), fields))


class _Closed:
    """Standard output that was closed before we began: every line is lost, and counted."""

    def write(self, line: bytes, /) -> None:
        raise BrokenPipeError

    def flush(self) -> None:
        """Nothing is kept back."""


def _standard_output() -> Stream:
    return _Closed() if sys.stdout is None else Outlet(_STANDARD_OUTPUT)


def _is_terminal() -> bool:
    return sys.stdout is not None and os.isatty(_STANDARD_OUTPUT)
