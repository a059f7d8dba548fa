"""Amounts in headers: plain decimal numbers, exact."""

from __future__ import annotations

import pytest

from gaiarouter.server.headers import dollars


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (66_000, "0.000066"),
        (1_500_000_000, "1.5"),
        (10_000_000_000, "10"),
        (123_456_789_012_345_678, "123456789.012345678"),
    ],
)
def test_dollars_are_written_to_the_nano_dollar(nano: int, text: str) -> None:
    assert dollars(nano) == text
