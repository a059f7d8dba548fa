"""Whatever stands in the file: it is refused or read, quickly, within bounds, and never with a traceback."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaiarouter.config.loader import Loaded, load, load_mapping

_LAUGHS = "\n".join(
    ["a0: &a0 [" + ", ".join(["x"] * 9) + "]"]
    + [f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 9) + "]" for level in range(1, 9)]
)

# name: (the text, a part of the one error)
BOMBS: dict[str, tuple[str, str]] = {
    "billion laughs": (_LAUGHS, "aliases expand to more than 10000 values"),
    "quadratic blow-up": (
        "a: &a [" + ", ".join(["x"] * 500) + "]\nb: [" + ", ".join(["*a"] * 21) + "]",
        "aliases expand to more than 10000 values",
    ),
    "one long text many times": (f"a: &a {'x' * 100_000}\nb: [" + ", ".join(["*a"] * 10_001) + "]", "aliases expand"),
    "deep lists": ("a: " + "[" * 33 + "]" * 33, "nested deeper than 32 levels"),
    "very deep lists": ("[" * 500_000, "nested deeper than 32 levels"),
    "very deep mappings": ("{a: " * 200_000, "nested deeper than 32 levels"),
    "very deep block lists": ("- " * 500_000, "nested deeper than 32 levels"),
    "deep by aliases": ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "nested deeper than 32"),
    "a large file": ("#" * (1 << 20) + "\n", "larger than 1 MiB"),
    "many values": ("a: [" + "x," * 400_000 + "]", "more than 50000 values"),
    "many keys": ("\n".join(f"k{number}: 1" for number in range(60_000)), "more than 50000 values"),
    "a command": ("!!python/object/apply:os.system ['echo']", "the tag 'tag:yaml.org,2002:python/object/apply:os"),
    "a null character": ("a: \0", "not YAML"),
    "a lone surrogate escape": ('store: "\\ud800"', "not YAML"),
}


def load_text(text: str, folder: Path) -> Loaded:
    file = folder / "g.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_bounds(name: str, tmp_path: Path) -> None:
    text, expected = BOMBS[name]
    (tmp_path / "g.yaml").write_text(text, encoding="utf-8")
    tracemalloc.start()
    started = time.process_time()
    loaded = load(tmp_path / "g.yaml")
    took = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert loaded.settings is None
    assert expected in loaded.problems[0].message, loaded.problems[:3]
    assert peak < 50 << 20
    assert took < 10, "tracing allocations slows it about tenfold"


def test_a_thousand_routes_are_checked_in_time(tmp_path: Path) -> None:
    routes = "".join(
        f"  - {{match: 'vendor-{number}/*-model-[a-f]*', targets: [{{provider: p}}]}}\n" for number in range(1000)
    )
    started = time.process_time()
    assert load_text("providers: {p: {dialect: echo}}\nroutes:\n" + routes, tmp_path).problems == ()
    assert time.process_time() - started < 10


def test_more_globs_than_a_gateway_matches_quickly_are_refused(tmp_path: Path) -> None:
    globs = ", ".join(f"m{number}" for number in range(600))
    text = (
        f"providers: {{p: {{dialect: echo}}}}\nroutes:\n"
        f"  - {{match: [{globs}], targets: [{{provider: p}}]}}\n"
        f"  - {{match: [x, {globs}], targets: [{{provider: p}}]}}\n"
    )
    assert [problem.message for problem in load_text(text, tmp_path).problems] == ["more than 1000 globs in all routes"]


def test_a_chain_that_doubles_with_every_link_is_refused(tmp_path: Path) -> None:
    links = "".join(
        f"  - {{match: m{n}, targets: [{{provider: p}}], fallbacks: [{{model: m{n + 1}}}, {{model: m{n + 1}}}]}}\n"
        for n in range(100)
    )
    text = f"providers: {{p: {{dialect: echo}}}}\nroutes:\n{links}  - {{match: m100, targets: [{{provider: p}}]}}\n"
    problems = load_text(text, tmp_path).problems
    assert problems
    assert all("groups of targets, expected at most 100" in problem.message for problem in problems)


_SPEECH = (
    "server providers routes match targets provider model weight fallbacks on defaults timeouts connect retry budget "
    "breaker limits requests auth required stream hold transform set default drop api_key key dialect base_url headers "
    "demo gpt-* ${A} ${A:-b} ${ $$ {1} {model} 5s 5 20% 600/min yes no null ~ true 0x1f 1e999 .inf 2026-01-01 &a *a <<"
    " !!int !x | > ' \" % @ ` \t http://[ sqlite:///x é \ufeff \u2028"
)
_WORDS = st.sampled_from(_SPEECH.split(" "))
_LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", "- ", "  - ", "? "]),
        _WORDS,
        st.sampled_from([":", ": ", ": [", ": {", "]", "}", ", ", ""]),
        _WORDS,
    ),
    max_size=12,
).map(lambda lines: "\n".join("".join(parts) for parts in lines))

_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
_FOR_ALL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


@_FOR_ALL
@given(text=st.text(max_size=200) | _LINES)
def test_any_text_is_settings_or_problems(text: str, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    _is_sound(load(tmp_path / "g.yaml", environ={"A": "b"}, known_kinds={"echo": False, "openai": False}))


@_FOR_ALL
@given(content=st.binary(max_size=200))
def test_any_bytes_are_settings_or_problems(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_bytes(content)
    (tmp_path / ".env").write_bytes(content)
    _is_sound(load(tmp_path / "g.yaml"))


_ROUTE = st.fixed_dictionaries(
    {},
    optional={
        "match": _DATA | _WORDS,
        "targets": st.lists(
            st.fixed_dictionaries({}, optional={"provider": _DATA | _WORDS, "model": _DATA}), max_size=2
        ),
        "fallbacks": st.lists(
            st.dictionaries(st.sampled_from(["provider", "model", "on", "weight"]), _DATA, max_size=3) | _DATA,
            max_size=3,
        ),
        "transform": st.dictionaries(st.sampled_from(["set", "default", "drop", "system"]), _DATA, max_size=2),
        "timeouts": st.dictionaries(st.sampled_from(["connect", "idle"]), _DATA, max_size=2) | _DATA,
    },
)
_SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "server": _DATA,
        "providers": st.dictionaries(_WORDS, _DATA | st.dictionaries(_WORDS, _DATA, max_size=3), max_size=3),
        "routes": st.lists(_ROUTE | _DATA, max_size=3) | _DATA,
        "auth": _DATA,
        "store": _DATA,
        "defaults": st.dictionaries(st.sampled_from(["timeouts", "retry", "breaker"]), _DATA, max_size=3),
        "limits": st.dictionaries(st.sampled_from(["requests", "tokens", "concurrent"]), _DATA, max_size=3),
    },
)


@_FOR_ALL
@given(data=_SHAPED | _DATA.filter(lambda data: isinstance(data, dict)))
def test_any_data_is_settings_or_problems(data: dict[str, object], tmp_path: Path) -> None:
    _is_sound(load_mapping(data, environ={"A": "b"}, known_kinds={"echo": False, "openai": False}))


def _is_sound(loaded: Loaded) -> None:
    assert (loaded.settings is None) == bool(loaded.errors)
    for problem in loaded.problems:
        assert str(problem).isprintable() or "\n" not in str(problem)
        assert len(problem.message) < 600
