"""Quantities with their units: what is read, and what is refused."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.config.settings import Rate
from gaiarouter.config.structure import schema_text
from gaiarouter.config.units import format_rate, parse_duration, parse_rate, parse_share, parse_size, spelling

PARSERS = {"duration": parse_duration, "size": parse_size, "rate": parse_rate, "share": parse_share}


@pytest.mark.parametrize(
    ("unit", "text", "means"),
    [
        ("duration", "250ms", 0.25),
        ("duration", "5s", 5.0),
        ("duration", "1.5s", 1.5),
        ("duration", "15m", 900.0),
        ("duration", "1h", 3600.0),
        ("duration", "2d", 172800.0),
        ("duration", "0s", 0.0),
        ("size", "7B", 7),
        ("size", "32MB", 32_000_000),
        ("size", "64KiB", 65_536),
        ("size", "1.5GiB", 1_610_612_736),
        ("size", "1kB", 1000),
        ("size", "1KB", 1000),
        ("rate", "600/min", Rate(600, 60.0)),
        ("rate", "1M/min", Rate(1_000_000, 60.0)),
        ("rate", "1.5k/s", Rate(1500, 1.0)),
        ("rate", "10/h", Rate(10, 3600.0)),
        ("rate", "2G/day", Rate(2_000_000_000, 86400.0)),
        ("share", "20%", 0.2),
        ("share", "0%", 0.0),
        ("share", "100%", 1.0),
        ("share", "12.5%", 0.125),
    ],
)
def test_a_quantity_is_counted_in_its_unit(unit: str, text: str, means: object) -> None:
    assert PARSERS[unit](text) == means


@pytest.mark.parametrize("unit", PARSERS)
@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", " 5s", "5s\n", "-5s", "+5s", "5S", "1e3s", "٣s", "5/", "/min", "5%%"]
)
def test_anything_else_is_refused(unit: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the text of it is the caller's to find
        PARSERS[unit](text)


@pytest.mark.parametrize(("unit", "text"), [("share", "101%"), ("rate", "5/week"), ("rate", "5T/min"), ("size", "5mb")])
def test_what_only_looks_like_it_is_refused(unit: str, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        PARSERS[unit](text)


_QUANTITIES = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,2})?[a-zA-Z]{0,3}(/[a-z]{1,3})?%?", fullmatch=True)


@given(text=_QUANTITIES | st.text(max_size=6), unit=st.sampled_from(sorted(PARSERS)))
def test_what_the_schema_lets_through_can_be_counted(text: str, unit: str) -> None:
    pattern = orjson.loads(schema_text())["$defs"][unit]["pattern"]
    if re.search(pattern, text) and not text.endswith("\n") and text != "unlimited":
        PARSERS[unit](text)
    else:
        assert text == "unlimited" or not _is_counted(unit, text)


def _is_counted(unit: str, text: str) -> bool:
    try:
        PARSERS[unit](text)
    except ValueError:
        return False
    return True


@given(number=st.integers(0, 10**9), unit=st.sampled_from(["duration", "size", "rate"]))
def test_the_spelling_that_an_error_shows_is_a_right_one(number: int, unit: str) -> None:
    PARSERS[unit](spelling(unit, number))


@pytest.mark.parametrize(("number", "shown"), [(0.2, "20%"), (20, "20%"), (0, "0%"), (1, "1%")])
def test_the_spelling_of_a_share_tells_fractions_from_percents(number: float, shown: str) -> None:
    assert spelling("share", number) == shown


@pytest.mark.parametrize("text", ["600/min", "1/s", "0/h", "1000000/min", "50000/day"])
def test_a_rate_is_written_as_it_is_read(text: str) -> None:
    assert format_rate(parse_rate(text)) == text


def test_a_rate_of_another_period_is_written_in_seconds() -> None:
    assert format_rate(Rate(3, 2.5)) == "3/2.5s"
