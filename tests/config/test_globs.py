"""Whether one glob takes every name of another, against all names of a small alphabet."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.config.globs import covers
from gaiarouter.routing.glob import Glob

_PARTS = st.sampled_from(["a", "b", "?", "*", "[ab]", "[!a]", "[a-b]", "[!a-b]"])
_GLOBS = st.lists(_PARTS, max_size=4).map("".join)
_NAMES = ["".join(name) for length in range(6) for name in product("abc", repeat=length)]


@given(outer=_GLOBS, inner=_GLOBS)
def test_a_glob_covers_another_if_it_takes_all_its_names(outer: str, inner: str) -> None:
    wide, narrow = Glob(outer), Glob(inner)
    taken = [name for name in _NAMES if narrow.match(name) is not None]
    # globs of four parts that differ do so on a name of at most five characters
    assert covers(wide, narrow) == all(wide.match(name) is not None for name in taken)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("[a-m]*", "[a-z]*"), ("[!é]", "?"), ("a*", "[ab]*"), ("[c-y]", "[b-z]"), ("é", "[à-ü]"), ("gpt-*", "gpt*")],
)
def test_a_set_that_lacks_one_character_does_not_cover(outer: str, inner: str) -> None:
    assert not covers(Glob(outer), Glob(inner))
    assert covers(Glob(inner), Glob(outer))


def test_globs_too_hard_to_compare_count_as_different() -> None:
    hard = Glob("*a" + "?" * 40)
    assert not covers(hard, Glob("*a" + "[ab]" * 40 + "*"))
