from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gaiarouter.routing.glob import NAME_LIMIT, Glob, GlobError

Captures = tuple[str, ...] | None

CASES: list[tuple[str, str, Captures]] = [
    ("gpt-4o", "gpt-4o", ()),
    ("gpt-4o", "GPT-4o", None),
    ("gpt-4o", "gpt-4o-mini", None),
    ("gpt-*", "gpt-4o", ("4o",)),
    ("gpt-*", "gpt-", ("",)),
    ("gpt-*", "xgpt-4o", None),
    ("*", "", ("",)),
    ("*", "openai/gpt-4o", ("openai/gpt-4o",)),
    ("anthropic/*", "anthropic/a/b", ("a/b",)),
    ("*/*", "a/b/c", ("a", "b/c")),
    ("*-*-x", "a-b-c-x", ("a", "b-c")),
    ("*a*", "banana", ("b", "nana")),
    ("**", "ab", ("", "ab")),
    ("ab*ba", "aba", None),
    ("ab*ba", "abba", ("",)),
    ("gpt-?", "gpt-4", ()),
    ("gpt-?", "gpt-", None),
    ("gpt-?", "gpt-4o", None),
    ("?*", "a", ("",)),
    ("*[0-9]b*", "a1a2bc", ("a1a", "c")),
    ("v[1-3x]", "v2", ()),
    ("v[1-3x]", "vx", ()),
    ("v[1-3x]", "v4", None),
    ("v[!1-3]", "v4", ()),
    ("v[!1-3]", "v3", None),
    ("v[!1-3]", "v", None),
    ("[]]", "]", ()),
    ("[!]]", "]", None),
    ("[[]", "[", ()),
    ("[*]", "*", ()),
    ("[*]", "x", None),
    ("[a-]", "-", ()),
    ("[-a]", "-", ()),
    ("a]", "a]", ()),
    ("a.b", "axb", None),
    ("(a|b)+", "(a|b)+", ()),
    ("a\\*", "a\\b", ("b",)),
    ("*é", "caffé", ("caff",)),
    ("a*", "a\nb", ("\nb",)),
    ("", "", ()),
    ("", "a", None),
]


@pytest.mark.parametrize(("glob", "name", "captures"), CASES)
def test_a_glob_matches_what_its_rules_say(glob: str, name: str, captures: Captures) -> None:
    assert Glob(glob).match(name) == captures


@pytest.mark.parametrize(("glob", "words"), [("a[b", "without `]`"), ("[]", "without"), ("[!]", "without")])
def test_an_open_set_is_refused(glob: str, words: str) -> None:
    with pytest.raises(GlobError, match=words):
        Glob(glob)


def test_a_backward_range_is_refused() -> None:
    with pytest.raises(GlobError, match="`9-0`, which runs backwards"):
        Glob("[9-0]")


@pytest.mark.parametrize(
    ("glob", "prefix", "is_literal"),
    [("gpt-*", "gpt-", False), ("fast", "fast", True), ("*", "", False), ("a?b", "a", False), ("a[b]c", "a", False)],
)
def test_a_glob_knows_how_its_names_begin(glob: str, prefix: str, is_literal: bool) -> None:
    assert (Glob(glob).prefix, Glob(glob).is_literal) == (prefix, is_literal)


ELEMENTS = st.sampled_from(["a", "b", "c", "*", "*", "?", "[ab]", "[!a]", "[a-c]", "[!b-c]"])
PARTS = st.lists(ELEMENTS, max_size=9)
NAMES = st.text("abcd", max_size=14)


def _takes(part: str, char: str) -> bool:
    """The sets of ELEMENTS, written out."""
    sets = {"?": "abcd", "[ab]": "ab", "[!a]": "bcd", "[a-c]": "abc", "[!b-c]": "ad"}
    return char in sets.get(part, part)


def _reference(parts: list[str], name: str) -> Captures:
    """A glob tried in the plainest way, the shortest run for each star first."""
    if not parts:
        return None if name else ()
    if parts[0] != "*":
        return _reference(parts[1:], name[1:]) if name and _takes(parts[0], name[0]) else None
    for taken in range(len(name) + 1):
        rest = _reference(parts[1:], name[taken:])
        if rest is not None:
            return (name[:taken], *rest)
    return None


@given(PARTS, NAMES)
@example(["*", "a", "?", "*", "b"], "aaacab")
def test_matches_and_captures_are_those_of_trying_everything(parts: list[str], name: str) -> None:
    assert Glob("".join(parts)).match(name) == _reference(parts, name)


LONG = 64 * 1024
HOSTILE = [
    "*",
    "a*",
    "*a",
    "*a*a*a*a*a*b",
    "*?a*?a*?a*b",
    "a" * 64 + "*b",
    "*" + "a" * 500 + "[!a]*",
    "*[!b]" * 50 + "b",
]


@pytest.mark.parametrize("glob", HOSTILE)
@pytest.mark.parametrize("length", [LONG, NAME_LIMIT])
def test_a_long_name_costs_less_than_a_millisecond(glob: str, length: int) -> None:
    compiled, name = Glob(glob), "a" * length
    compiled.match(name)
    best = min(_seconds(compiled, name) for _ in range(5))
    assert best < 0.001


def test_a_name_over_the_limit_matches_nothing() -> None:
    assert Glob("*").match("a" * NAME_LIMIT) is not None
    assert Glob("*").match("a" * (NAME_LIMIT + 1)) is None


def _seconds(glob: Glob, name: str) -> float:
    start = time.perf_counter()
    glob.match(name)
    return time.perf_counter() - start
