from __future__ import annotations

import time

import pytest

from gaiarouter.config.settings import Settings
from gaiarouter.routing.base import Match
from gaiarouter.routing.table import Table
from tests.routing.build import group, reference, route, settings


def _chain(match: Match | None) -> list[list[str]]:
    assert match is not None
    return [[target.id for target in group.targets] for group in match.groups]


def _matched(table: Table, model: str) -> str | None:
    match = table.match(model)
    return match.glob if match else None


FIRST_WINS = Table(
    settings(
        route("gpt-4o-mini", "a"),
        route("gpt-4*", "b"),
        route("gpt-4o", "c"),
        route(["fast", "gpt-*", "o[13]"], "d"),
        route("gpt-5", "e"),
        route("*-late", "f"),
    )
)


@pytest.mark.parametrize(
    ("model", "glob"),
    [
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4*"),
        ("gpt-4", "gpt-4*"),
        ("gpt-3", "gpt-*"),
        ("gpt-5", "gpt-*"),
        ("fast", "fast"),
        ("o3", "o[13]"),
        ("gpt-late", "gpt-*"),
        ("x-late", "*-late"),
        ("o2", None),
        ("", None),
        ("Fast", None),
    ],
)
def test_the_first_route_that_matches_wins(model: str, glob: str | None) -> None:
    assert _matched(FIRST_WINS, model) == glob
    assert _matched(FIRST_WINS, model) == glob  # and again, from memory


def test_aliases_are_the_names_without_wildcards_that_reach_their_route() -> None:
    assert FIRST_WINS.aliases() == ("gpt-4o-mini", "fast")
    assert FIRST_WINS.globs() == ("gpt-4*", "gpt-*", "o[13]", "*-late")


@pytest.mark.parametrize(
    ("glob", "template", "model", "sent"),
    [
        ("gpt-*", "openai", "gpt-4o", "openai/gpt-4o"),
        ("gpt-*", "openrouter/openai/{model}", "gpt-4o", "openrouter/openai/gpt-4o"),
        ("anthropic/*", "anthropic/{1}", "anthropic/claude", "anthropic/claude"),
        ("*/*", "p/{2}-at-{1}", "x/y/z", "p/y/z-at-x"),
        ("fast", "google/gemini", "fast", "google/gemini"),
        ("*", "p/x-{1}", "{model}{1}", "p/x-{model}{1}"),
        ("*", "p/{3}{x}", "m", "p/{3}{x}"),
    ],
)
def test_a_target_is_asked_for_the_model_its_template_makes(glob: str, template: str, model: str, sent: str) -> None:
    match = Table(settings(route(glob, template))).match(model)
    assert _chain(match) == [[sent]]


def test_targets_of_a_provider_that_is_off_are_left_out() -> None:
    routes = [route("m", "a", "b*3", fallbacks=[group("b"), group("a/x", "b/x")])]
    assert _chain(Table(settings(*routes, off=["b"])).match("m")) == [["a/m"], ["a/x"]]


def test_the_routes_own_group_stays_first_when_nothing_in_it_is_on() -> None:
    table = Table(settings(route("m", "a", fallbacks=[group("b")]), off=["a"]))
    assert _chain(table.match("m")) == [[], ["b/m"]]


def test_a_route_without_a_target_that_is_on_still_matches() -> None:
    assert _chain(Table(settings(route("m", "a"), off=["a"])).match("m")) == [[]]


def test_a_fallback_to_a_model_brings_that_routes_chain() -> None:
    table = Table(
        settings(
            route("gpt-*", "a", fallbacks=[reference("fast"), group("b/last")]),
            route("fa*", "c/quick-{1}", "d", fallbacks=[group("e", on=("content_policy",))], balance="least_latency"),
        )
    )
    match = table.match("gpt-4o")
    assert _chain(match) == [["a/gpt-4o"], ["c/quick-st", "d/fast"], ["e/fast"], ["b/last"]]
    assert match is not None
    assert [group.balance for group in match.groups] == ["weighted", "least_latency", "weighted", "weighted"]
    assert [group.on for group in match.groups] == [None, None, ("content_policy",), None]
    assert [group.targets[0].route for group in match.groups] == ["gpt-*", "fa*", "fa*", "gpt-*"]


def test_conditions_of_a_reference_hold_for_all_behind_it() -> None:
    table = Table(
        settings(
            route("m", "a", fallbacks=[reference("long", on=("context_length",))]),
            route(
                "long",
                "b",
                fallbacks=[
                    group("c"),
                    group("d", on=("context_length", "content_policy")),
                    group("e", on=("content_policy",)),
                ],
            ),
        )
    )
    match = table.match("m")
    assert match is not None
    only = ("context_length",)
    assert [group.on for group in match.groups] == [None, only, only, only, ()]


def test_one_glob_may_serve_two_references() -> None:
    table = Table(settings(route("m", "a", fallbacks=[reference("x-1"), reference("x-2")]), route("x-*", "b/{1}")))
    assert _chain(table.match("m")) == [["a/m"], ["b/1"], ["b/2"]]


def test_a_circle_that_no_check_has_seen_still_ends() -> None:
    table = Table(
        settings(
            route("x", "a", fallbacks=[reference("y"), reference("y", on=("context_length",))]),
            route("y", "b", fallbacks=[reference("x"), reference("nowhere")]),
        )
    )
    chain = _chain(table.match("x"))
    assert chain[:2] == [["a/x"], ["b/y"]]
    assert len(chain) < 10


def test_near_names_are_similar_and_allowed() -> None:
    table = Table(settings(route(["gpt-4o", "gpt-4o-mini", "claude-sonnet", "fast", "demo"], "a")))
    assert table.near("gtp-4o", lambda _: True)[0] == "gpt-4o"
    assert table.near("GPT-4O", lambda name: "mini" in name) == ["gpt-4o-mini"]
    assert table.near("claude-sonet", lambda _: True) == ["claude-sonnet"]
    assert table.near("zzz", lambda _: True) == []


def _routes(count: int) -> Settings:
    return settings(*[route([f"team{n}-*", f"alias{n}"], "a") for n in range(count)], route("*", "b"))


def test_the_cost_of_a_name_does_not_grow_with_the_routes() -> None:
    """Each name is new, so that nothing comes from memory."""

    def seconds(table: Table) -> float:
        names = [f"team{n % 10}-{time.perf_counter_ns()}" for n in range(200)]
        start = time.perf_counter()
        for name in names:
            table.match(name)
        return time.perf_counter() - start

    small, large = Table(_routes(10)), Table(_routes(1000))
    assert min(seconds(large) for _ in range(5)) < 5 * min(seconds(small) for _ in range(5))


@pytest.mark.parametrize("name", ["a" * 65536, "\U0001f40d" * 65536])
def test_a_huge_name_is_answered_at_once(name: str) -> None:
    table = Table(_routes(1000))
    start = time.thread_time()
    assert table.match(name) is None
    assert table.near(name, lambda _: True) == []
    assert time.thread_time() - start < 0.05


def test_what_is_remembered_is_bounded() -> None:
    table = Table(settings(route("*", "a")))
    for n in range(5000):
        table.match(str(n))
    assert len(table._cache) <= 1024
