"""Vectors in both spellings: what OpenAI's clients decode is what the provider computed."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.canonical.embeddings import Vector
from gaiarouter.dialects.embeddings.vectors import as_array, as_base64
from gaiarouter.errors import BadAnswer

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def packed(numbers: list[float], width: str = "f") -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}{width}", *numbers)).decode()


@given(st.lists(float32, min_size=1))
def test_base64_and_numbers_are_the_same_float32(numbers: list[float]) -> None:
    array = json.loads(bytes(as_array(Vector(packed(numbers)), dimensions=None)))
    assert struct.pack(f"<{len(array)}f", *array) == struct.pack(f"<{len(numbers)}f", *numbers)
    assert as_base64(Vector(Raw(json.dumps(array).encode())), dimensions=None) == packed(numbers)


def test_numbers_are_written_with_the_fewest_digits() -> None:
    assert bytes(as_array(Vector(packed([0.1, -0.25, 1e-8])), dimensions=None)) == b"[0.1,-0.25,1e-8]"


def test_what_is_spelt_as_asked_stays_in_its_bytes() -> None:
    assert bytes(as_array(Vector(Raw(b"[0.10, 1]")), dimensions=2)) == b"[0.10, 1]"
    assert as_base64(Vector("AACAPw=="), dimensions=1) == "AACAPw=="


def test_float64_in_base64_is_recognised_by_the_dimensions_asked_for() -> None:
    assert as_base64(Vector(packed([0.5, 0.25], "d")), dimensions=2) == packed([0.5, 0.25])
    assert bytes(as_array(Vector(packed([0.5, 0.25], "d")), dimensions=2)) == b"[0.5,0.25]"


@pytest.mark.parametrize("vector", ["%%%%", "AAA=", "AAAA"])
def test_a_vector_that_is_none_is_a_bad_answer(vector: str) -> None:
    with pytest.raises(BadAnswer):
        as_array(Vector(vector), dimensions=None)


@pytest.mark.parametrize("numbers", [b'["a"]', b"[1e300]", b"[null]", b"[[1]]"])
def test_numbers_that_are_none_are_a_bad_answer(numbers: bytes) -> None:
    with pytest.raises(BadAnswer):
        as_base64(Vector(Raw(numbers)), dimensions=None)
