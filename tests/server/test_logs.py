"""The log: a JSON object a line whatever is logged, bounded, and no reason to stop serving."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from msgspec import UNSET, UnsetType
from structlog.testing import LogCapture

from gaiarouter.config.settings import LogFormat
from gaiarouter.server import logs
from gaiarouter.server.lines import MAX_FIELD, MAX_TRACEBACK, Json, Words
from gaiarouter.server.outlet import Outlet
from gaiarouter.server.sink import Sink

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
    assert len(line["field"]) == MAX_FIELD
    assert "Traceback" in line["exception"] or "ValueError" in line["exception"]
    assert len(line["exception"]) <= MAX_TRACEBACK + 100


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


class Shape(msgspec.Struct):
    text: str
    number: float | int | None
    many: list[str]
    maybe: str | UnsetType = UNSET


SHAPES = {
    "short": Shape("a", 1.5, []),
    "with what may be": Shape("a", None, ["b"], "c"),
    "as long as a field may be": Shape("x" * MAX_FIELD, None, []),
    "too long": Shape("x" * (MAX_FIELD + 1), None, []),
    "too long in what may be": Shape("", 0, [], "x" * (MAX_FIELD + 1)),
    "long in all": Shape("x" * 10_000, None, ["y" * 10_000]),
    "long in a list": Shape("x", 10**15, ["y" * 10_000]),
    "no ASCII": Shape("漢" * MAX_FIELD, 0.001, ['\u2028\n\0\x7f"\\/']),
    "no text": Shape("\ud800", 0.1, []),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_line_that_has_a_shape_is_the_line_of_its_fields(shape: Shape) -> None:
    fields = {name: field for name in shape.__struct_fields__ if (field := getattr(shape, name)) is not UNSET}
    by_shape = Json().shaped("info", "it.happened", shape)
    by_fields = Json()("info", "it.happened", fields)
    assert re.sub(TIME, b"", by_shape, count=1) == re.sub(TIME, b"", by_fields, count=1)
    shown = (
        Words(colours=False).shaped("info", "it.happened", shape),
        Words(colours=False)("info", "it.happened", fields),
    )
    assert shown[0][8:] == shown[1][8:], "behind the time"


TIME = rb'"timestamp": ?"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"'


def test_a_shape_is_told_where_lines_are_written_and_only_from_its_level_on(lines: Lines) -> None:
    stream = io.BytesIO()
    log = logs.configure(stream)
    tell = logs.teller("of.shapes", "it.happened")
    tell(Shape("a", 1, []))
    log.set_level("warning")
    tell(Shape("b", 1, []))
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["level"], line["text"]) == ("it.happened", "info", "a")


def test_a_log_of_somebody_else_gets_a_shape_as_fields(lines: Lines) -> None:
    structlog.reset_defaults()
    kept = LogCapture()
    structlog.configure(processors=[kept])
    logs.teller("of.shapes", "it.happened")(Shape("a", 1, ["b"]))
    assert kept.entries == [{"event": "it.happened", "log_level": "info", "text": "a", "number": 1, "many": ["b"]}]


def words(event: str, **fields: Any) -> str:
    return Words(colours=False)("info", event, fields).decode()


def test_for_people_there_are_words() -> None:
    line = words("request.end", status=200, model="gpt-5 mini", code=None, attempts=["a/b: ok"])
    assert re.fullmatch(
        r"""\d\d:\d\d:\d\d \[info +\] request\.end +status=200 model='gpt-5 mini' attempts="\['a/b: ok'\]"\n""", line
    ), line


@pytest.mark.parametrize("text", ["a\nb", "\x1b]0;owned\x07", "\r", "\u2028", "\x9b31m", "\ud800", "\u202e"])
def test_nothing_that_is_logged_speaks_to_the_terminal(text: str) -> None:
    for line in (words("said", text=text, many=[text], deep={text: text}), words(f"said {text}")):
        assert line.endswith("\n")
        assert line[:-1].isprintable()


def test_a_traceback_has_its_lines_for_people() -> None:
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        line = words("bad", exc_info=True)
    assert line.count("\n") > 3
    assert "\x1b" not in line


def test_what_is_below_the_level_is_not_said_whoever_says_it(lines: Lines) -> None:
    root, stream = logging.getLogger(), io.BytesIO()
    log = logs.configure(stream, level="warning")
    structlog.get_logger().info("no")
    logging.getLogger("library").info("no")
    log.set_level("debug")
    structlog.get_logger().debug("yes", number=1)
    logging.getLogger("library").debug("yes")
    log.set_level("error")
    structlog.get_logger().bind(place="x").warning("no")
    structlog.get_logger().bind(place="x").error("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes", "yes", "yes"]
    assert root.level == logging.ERROR


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("auto", True), ("console", False)])
def test_the_form_is_the_settings_and_json_where_nobody_watches(lines: Lines, form: LogFormat, is_json: bool) -> None:
    stream = io.BytesIO()
    logs.configure(stream, form=form)
    structlog.get_logger().info("it.happened")
    assert (stream.getvalue()[:1] == b"{") is is_json


def test_on_a_terminal_it_is_words_and_one_that_takes_no_more_stops_nothing() -> None:
    ours, theirs = os.openpty()
    code = """
import structlog
from gaiarouter.server import logs
log = logs.configure(form="auto")
structlog.get_logger("x").info("first")
log.sink.flush()
while not log.sink.dropped:
    structlog.get_logger("x").warning("line" * 50)
import sys; sys.stderr.write("served to the end")
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        assert b"[" in os.read(ours, 40), "no JSON"
        _, said = process.communicate(timeout=60)  # nobody reads on
    os.close(ours)
    assert b"served to the end" in said


def test_p11_standard_output_that_was_never_open_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import structlog; from gaiarouter.server import logs; log = logs.configure(); "
        "structlog.get_logger('x').warning('line'); import sys; sys.stderr.write(f'{log.sink.dropped} lost')"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], capture_output=True, timeout=60, check=False
    )
    assert done.stderr == b"1 lost"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is full")
def test_p11_a_full_disk_loses_lines_and_nothing_else() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        sink = Sink(Outlet(full.fileno()))
        sink.write(b"line\n")
        sink.write(b"line\n")
    assert sink.dropped == 2


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
from gaiarouter.config.settings import LogFormat
from gaiarouter.server.lines import MAX_FIELD, MAX_TRACEBACK, Words
from gaiarouter.server.outlet import Outlet
from gaiarouter.server.sink import Sink
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
