from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.sse import EventFramer, read_event, sole_data, write_event

LINES = [b"data: {}", b"data:x", b"data", b"data: ", b": ping", b":", b"event: error", b"id: 7", b"retry: 5", b"x"]
LINES += ["data: é\u2028\u0085\x0b\x0c漢😀".encode(), b'data: {"a": "b\\n\\ndata: [DONE]"}']
STREAMS = st.lists(
    st.tuples(st.sampled_from([*LINES, b"", b"", b""]), st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])), max_size=14
).map(lambda lines: b"".join(line + end for line, end in lines))


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def read_all(parts: list[bytes]) -> list[tuple[bytes, bytes]]:
    """(name, data) of each event that has data, blank line or not."""
    framer = EventFramer()
    raws = [raw for part in parts for raw in framer.feed(part)]
    events = [read_event(raw) for raw in (*raws, framer.close())]
    return [(event.name, event.data) for event in events if event.data is not None]


def plain_reader(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The rules of the standard, line by line over the whole stream, with no thought for speed."""
    events, name, data = [], b"", None
    for line in [*re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        if not line:
            if data is not None:
                events.append((name, data))
            name, data = b"", None
        elif line.startswith(b"data") and line[4:5] in (b":", b""):
            value = line[5:].removeprefix(b" ")
            data = value if data is None else data + b"\n" + value
        elif line.startswith(b"event:"):
            name = line[6:].removeprefix(b" ")
    return events


@given(STREAMS, st.lists(st.integers(0, 200), max_size=12))
def test_t41_t42_t43_events_are_those_of_the_standard_wherever_reads_end(stream: bytes, cuts: list[int]) -> None:
    assert read_all(pieces(stream, cuts)) == plain_reader(stream)


def test_line_ends_may_change_from_event_to_event() -> None:
    stream = b"data: 1\r\n\r\ndata: 2\n\n"
    assert EventFramer().feed(stream) == [b"data: 1\r\n\r\n", b"data: 2\n\n"]


@given(STREAMS)
def test_t42_a_byte_at_a_time_says_the_same(stream: bytes) -> None:
    assert read_all([stream[i : i + 1] for i in range(len(stream))]) == plain_reader(stream)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=12))
def test_no_byte_is_lost_or_made_up(stream: bytes, cuts: list[int]) -> None:
    framer = EventFramer()
    out = b"".join([*(raw for part in pieces(stream, cuts) for raw in framer.feed(part)), framer.close()])
    assert out == stream


@given(STREAMS, st.sampled_from([b"\n", b"\r\n"]))
def test_the_short_way_to_an_events_data_leads_to_the_same(stream: bytes, end: bytes) -> None:
    for raw in (stream, b"data: " + stream + end + end, *EventFramer().feed(stream)):
        data = sole_data(raw)
        event = read_event(raw)
        assert data is None or (event.data, event.name, event.comments, event.plain) == (data, b"", [], True)
    assert sole_data(b"data: {}" + end + end) == b"{}"


def test_a_byte_order_mark_is_not_part_of_the_first_event() -> None:
    stream = b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n"
    assert read_all([stream]) == read_all([stream[i : i + 1] for i in range(len(stream))]) == [(b"", b"1"), (b"", b"2")]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b"data: 1\n\n", True),
        (b"data:1\r\n\r\n", True),
        (b": ping\ndata: 1\n\n", True),
        (b"\n\ndata: 1\n\n", True),
        (b"data: 1\r\r", False),
        (b"id: 1\ndata: 1\n\n", False),
        (b"retry: 1\ndata: 1\n\n", False),
        (b"event: x\ndata: 1\n\n", False),
        (b"data: 1\ndata: 2\n\n", False),
    ],
)
def test_only_what_any_client_reads_alike_may_go_on_as_it_came(raw: bytes, plain: bool) -> None:
    assert read_event(raw).plain is plain


def test_an_event_that_outgrows_the_limit_is_noticed_before_it_ends() -> None:
    framer = EventFramer(limit=1000)
    assert framer.feed(b"data: 1\n\ndata: ") == [b"data: 1\n\n"]
    assert not framer.overflowed
    for _ in range(100):
        framer.feed(b"x" * 10)
    assert framer.overflowed


def test_a_written_event_holds_no_line_end_within() -> None:
    assert write_event(b'{\n"a":\r\n1}') == b'data: { "a": 1}\n\n'


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_the_cost_of_a_long_line_grows_with_its_length_only(end: bytes) -> None:
    def seconds(size: int) -> float:
        framer, piece = EventFramer(), b"x" * 64
        framer.feed(b": start" + end)
        begin = time.process_time()
        for _ in range(size // 64):
            framer.feed(piece)
        return time.process_time() - begin

    seconds(1 << 16)
    small, large = (min(seconds(size) for _ in range(3)) for size in (1 << 18, 1 << 21))
    assert large < 8 * 6 * max(small, 1e-4)  # eight times the bytes; quadratic would be sixty-four
