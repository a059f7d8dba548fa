"""Names, weights, chains and settings of LiteLLM's: written by hand beside what they must become."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaiarouter.config.litellm.source import duration_of
from tests.config.litellm import entry, written


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        (({"rpm": 900}, {"rpm": 100}), [9, 1]),
        (({"tpm": 20_000}, {"tpm": 20_000}), [None, None]),
        (({"weight": 0.7}, {"weight": 0.3}), [7, 3]),
        (({"weight": 2, "rpm": 1}, {"weight": 1, "rpm": 500}), [2, 1]),
        (({"rpm": 500}, {}), [500, 1]),  # LiteLLM gives the second nothing; 1 is the least here
        (({"rpm": 10_000_000}, {"rpm": 1}), [1_000_000, 1]),
    ],
)
def test_deployments_of_one_name_share_by_weight(
    weights: tuple[dict[str, object], dict[str, object]], shares: list[int | None], tmp_path: Path
) -> None:
    first, second = weights
    table = written(tmp_path, entry("m", "openai/a", **first), entry("m", "groq/b", **second))
    (route,) = table["routes"]
    assert [target.get("weight") for target in route["targets"]] == shares


def test_the_same_target_twice_is_one(tmp_path: Path) -> None:
    (route,) = written(
        tmp_path, entry("m", "openai/a", rpm=1), entry("m", "openai/a", rpm=2), entry("m", "groq/b", rpm=1)
    )["routes"]
    assert route["targets"] == [
        {"provider": "openai", "model": "a", "weight": 3},
        {"provider": "groq", "model": "b", "weight": 1},
    ]


@pytest.mark.parametrize(
    ("strategy", "balance"),
    [
        ("simple-shuffle", None),
        ("least-busy", "least_busy"),
        ("latency-based-routing", "least_latency"),
        ("cost-based-routing", "cheapest"),
        ("usage-based-routing-v2", None),
    ],
)
def test_strategies(strategy: str, balance: str | None, tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("m", "openai/a"),
        entry("m", "groq/b"),
        entry("alone", "openai/c"),
        router_settings={"routing_strategy": strategy},
    )
    assert [route.get("balance") for route in table["routes"]] == [balance, None]


def test_names_stand_before_patterns_and_long_patterns_before_short_ones(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("*", "openai/*"),
        entry("claude-*", "anthropic/claude-*"),
        entry("claude-sonnet-*", "anthropic/claude-sonnet-*"),
        entry("gpt-4", "openai/gpt-4.1"),
    )
    assert [route["match"] for route in table["routes"]] == ["gpt-4", "claude-sonnet-*", "claude-*", "*"]
    assert [route["targets"][0]["model"] for route in table["routes"]] == [
        "gpt-4.1",
        "claude-sonnet-{1}",
        "claude-{1}",
        "{1}",
    ]


def test_order_is_a_chain(tmp_path: Path) -> None:
    (route,) = written(
        tmp_path,
        entry("m", "groq/late", order=2),
        entry("m", "openai/first", order=1),
        entry("m", "openai/also", order=1),
    )["routes"]
    assert [target["model"] for target in route["targets"]] == ["first", "also"]
    assert route["fallbacks"] == [{"provider": "groq", "model": "late"}]


def test_fallbacks_name_models_and_what_they_are_for(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("a", "openai/a"),
        entry("b", "groq/b"),
        entry("long", "google/long"),
        entry("long", "gemini/long"),
        router_settings={"fallbacks": [{"a": ["b"]}]},
        litellm_settings={
            "context_window_fallbacks": [{"a": ["long"]}],
            "content_policy_fallbacks": [{"a": ["long", "b"]}],
        },
    )
    assert table["routes"][0]["fallbacks"] == [
        {"model": "b"},
        {"model": "long", "on": ["context_length", "content_policy"]},
        {"model": "b", "on": ["content_policy"]},
    ]


def test_a_circle_names_the_targets_of_the_link_that_would_close_it(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("a", "openai/a"),
        entry("a", "groq/a"),
        entry("b", "mistral/b"),
        router_settings={"fallbacks": [{"a": ["b"]}, {"b": ["a", "b"]}]},
    )
    a, b = table["routes"]
    assert a["fallbacks"] == [{"model": "b"}]
    assert b["fallbacks"] == [[{"provider": "openai", "model": "a"}, {"provider": "groq", "model": "a"}]]


def test_a_fallback_of_everybody_is_no_fallback_of_its_own(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("a", "openai/a"),
        entry("b", "openai/b"),
        entry("c", "openai/c"),
        litellm_settings={"default_fallbacks": ["c"], "fallbacks": [{"b": ["a"]}]},
    )
    assert [route.get("fallbacks") for route in table["routes"]] == [[{"model": "c"}], [{"model": "a"}], None]


def test_a_name_that_only_a_pattern_serves_gets_its_own_chain(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("*", "openai/*"),
        litellm_settings={"context_window_fallbacks": [{"gpt-5-mini": ["gpt-5"]}]},
        router_settings={"model_group_alias": {"small": "gpt-5-nano"}},
    )
    assert table["routes"] == [
        {"match": "small", "targets": [{"provider": "openai", "model": "gpt-5-nano"}]},
        {
            "match": "gpt-5-mini",
            "targets": [{"provider": "openai", "model": "gpt-5-mini"}],
            "fallbacks": [{"model": "gpt-5", "on": ["context_length"]}],
        },
        {"match": "*", "targets": [{"provider": "openai", "model": "{1}"}]},
    ]


def test_an_alias_is_another_name_of_the_route(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("gpt-4", "openai/gpt-4.1"),
        router_settings={"model_group_alias": {"old": "gpt-4", "hidden": {"model": "gpt-4", "hidden": True}}},
    )
    assert [route["match"] for route in table["routes"]] == [["gpt-4", "old", "hidden"]]


def test_settings(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        entry("m", "openai/a", temperature=0.2, extra_body={"labels": {"team": "x"}}, timeout=30),
        litellm_settings={"request_timeout": 1200, "num_retries": 1, "cache_params": {"type": "redis", "host": "h"}},
        router_settings={"allowed_fails": 2, "cooldown_time": 90, "num_retries": 4},
        general_settings={
            "database_url": "os.environ/DATABASE_URL",
            "global_max_parallel_requests": 500,
            "maximum_spend_logs_retention_period": "30d",
        },
    )
    assert {name: table[name] for name in table if name not in ("providers", "routes")} == {
        "server": {"max_requests": 500},
        "store": "${DATABASE_URL}",
        "redis": "redis://h:6379/0",
        "ledger": {"keep": "30d"},
        "defaults": {
            "timeouts": {"first_byte": "20m", "total": "20m"},
            "retry": {"attempts": 5, "per_target": 5},
            "breaker": {"failures": 3, "window": "1m", "cooldown": "90s"},
        },
    }
    assert table["routes"][0]["transform"] == {"default": {"temperature": 0.2}, "set": {"labels": {"team": "x"}}}
    assert table["routes"][0]["timeouts"] == {"first_byte": "30s"}


def test_a_chain_is_not_longer_than_the_tries(tmp_path: Path) -> None:
    entries = [entry(name, f"openai/{name}") for name in "abcde"]
    table = written(tmp_path, *entries, router_settings={"fallbacks": [{"a": ["b", "c", "d", "e"]}]})
    assert table["defaults"] == {"retry": {"attempts": 5}}


@pytest.mark.parametrize(
    ("seconds", "text"), [(600, "10m"), (90, "90s"), (0.5, "500ms"), (7200, "2h"), (0.001, "1ms"), (0.0001, "1ms")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_of(seconds) == text
