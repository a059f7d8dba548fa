"""The log: a JSON object a line whatever is logged, bounded, and no reason to stop serving."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from gaiarouter.server import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Configured anew, on a stream of its own, and left as it was."""
    root, old, kept = logging.getLogger(), structlog.get_config(), logging.getLogger().handlers[:]
    level, stream = root.level, io.BytesIO()
    logs.configure(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.configure(**old)
    root.handlers[:] = kept
    root.setLevel(level)


def test_a_line_is_an_object_with_its_time_and_level(lines: Lines) -> None:
    structlog.get_logger().info("it.happened", number=1, none=None, items=["a"])
    (line,) = lines()
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {"event": "it.happened", "level": "info", "number": 1, "none": None, "items": ["a"]}


def test_lines_of_libraries_have_the_same_form(lines: Lines) -> None:
    logging.getLogger("aiohttp.server").warning("it broke: %s", "really")
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("it broke: really", "aiohttp.server", "warning")


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\r\n{}", "\u2028", '"quoted"', "\ud800", "\0"])
def test_nothing_that_is_logged_can_begin_a_line_of_its_own(lines: Lines, text: str) -> None:
    structlog.get_logger().info("said", text=text)
    logging.getLogger("library").info("said %s", text)
    assert len(lines()) == 2


def test_a_field_is_bounded_and_a_traceback_is_whole(lines: Lines) -> None:
    try:
        raise ValueError("x" * 10_000)
    except ValueError:
        structlog.get_logger().exception("bad", field="y" * 10_000)
    (line,) = lines()
    assert len(line["field"]) == logs.MAX_FIELD
    assert "Traceback" in line["exception"] or "ValueError" in line["exception"]
    assert len(line["exception"]) <= logs.MAX_TRACEBACK + 100


def test_a_traceback_does_not_tell_a_key(lines: Lines) -> None:
    for log in (structlog.get_logger().exception, logging.getLogger("library").exception):
        try:
            raise RuntimeError("Bearer sk-main-Q2zW9xE7rT5yU3iO1pA8")
        except RuntimeError:
            log("bad")
    assert len(lines()) == 2
    assert all("Q2zW9xE7rT5yU3iO1pA8" not in str(line) for line in lines())


def test_what_is_no_json_is_told_as_text(lines: Lines) -> None:
    structlog.get_logger().info("odd", thing=object, key=b"bytes", big=2**70)
    assert len(lines()) == 1


class BrokenPipe(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise BrokenPipeError


def test_p11_a_broken_stream_loses_lines_and_nothing_else() -> None:
    root, old, kept = logging.getLogger(), structlog.get_config(), logging.getLogger().handlers[:]
    level = root.level
    try:
        logs.configure(BrokenPipe())  # type: ignore[arg-type]  # what is used of it is there
        structlog.get_logger().info("lost")
        logging.getLogger("library").warning("lost too")
    finally:
        structlog.configure(**old)
        root.handlers[:] = kept
        root.setLevel(level)


def test_p11_standard_output_that_is_closed_stops_nothing() -> None:
    code = """
import logging, structlog
from gaiarouter.server import logs
logs.configure()
for number in range(20000):
    structlog.get_logger("x").info("line", number=number)
    logging.getLogger("y").warning("line")
import sys; sys.stderr.write("served to the end")
"""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert b"served to the end" in done.stderr
    assert b"Traceback" not in done.stderr
