"""JSON that is made compact is the same JSON, spelt the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.rawjson import compact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.integers(0, 4), st.booleans())
def test_only_blank_space_between_tokens_goes(value: object, indent: int, ascii_only: bool) -> None:
    spelt = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert compact(spelt.encode()).decode() == json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        (b' { "a" : 1.0e5 , "b" : [ 12345678901234567890123 ] } ', b'{"a":1.0e5,"b":[12345678901234567890123]}'),
        (b'{"a \\" b\\\\" : "\\u00e9 \\n x"}', b'{"a \\" b\\\\":"\\u00e9 \\n x"}'),
    ],
)
def test_t82_numbers_and_escapes_stay_as_spelt(spelt: bytes, expected: bytes) -> None:
    assert compact(spelt) == expected
