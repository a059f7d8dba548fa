"""What answers tell is added up late, in one go: nothing of it is lost, doubled, or put where it does not belong."""

from __future__ import annotations

from random import Random

import pytest
from prometheus_client import CollectorRegistry, Histogram

from gaiarouter.canonical.usage import Usage
from gaiarouter.telemetry import Metrics
from gaiarouter.telemetry.answers import AT_ONCE
from gaiarouter.telemetry.catalogue import CATALOGUE

KIND = ("r", "main", "m-1", False)
OF_MODEL = {"provider": "main", "model": "m-1"}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"gaiarouter_{name}", labels)


def tell(metrics: Metrics, usage: Usage | None = None, cost: int | None = None) -> None:
    metrics.answers.add(KIND, 1_000_000, 0.5, 0.001, usage, cost)


@pytest.mark.parametrize("count", [1, AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE + 7])
def test_every_answer_counts_once_whenever_somebody_looks(count: int) -> None:
    metrics = Metrics()
    for number in range(count):
        tell(metrics, Usage(in_uncached=number + 1), cost=10**9)
        if number % 100 == 99:
            metrics.look()
    for _ in range(2):
        assert value(metrics, "requests_total", route="r", model="m-1", code_class="2xx", code="ok") == count
        assert value(metrics, "upstream_attempts_total", provider="main", outcome="ok") == count
        assert value(metrics, "request_duration_seconds_count", route="r", stream="false") == count
        assert value(metrics, "tokens_total", **OF_MODEL, **{"class": "in_uncached"}) == sum(range(count + 1))
        assert value(metrics, "cost_usd_total", **OF_MODEL) == pytest.approx(count)


def test_few_wait_at_a_time() -> None:
    metrics = Metrics()
    for _ in range(10 * AT_ONCE):
        tell(metrics)
    assert sum(map(len, metrics.answers._rows.values())) < AT_ONCE


def test_each_time_is_in_its_bucket() -> None:
    """As the library itself puts them: those that are a bound's, too."""
    rng, metrics, registry = Random(7), Metrics(), CollectorRegistry()
    bounds = {name: CATALOGUE[name].buckets for name in ("request_duration_seconds", "overhead_seconds")}
    expected = {name: Histogram(name, "x", buckets=each, registry=registry) for name, each in bounds.items()}
    for _ in range(1000):
        duration, overhead = (rng.choice((*each, rng.random(), 2000.0)) for each in bounds.values())
        metrics.answers.add(KIND, round(duration * 1e6), 0.5, overhead, None, None)
        expected["request_duration_seconds"].observe(round(duration * 1e6) / 1e6)
        expected["overhead_seconds"].observe(overhead)
    for name, labels in (("request_duration_seconds", {"route": "r", "stream": "false"}), ("overhead_seconds", {})):
        for bound in (*map(float, bounds[name]), "+Inf"):
            told = value(metrics, f"{name}_bucket", **labels, le=str(bound))
            assert told == registry.get_sample_value(f"{name}_bucket", {"le": str(bound)}), (name, bound)
        assert value(metrics, f"{name}_sum", **labels) == pytest.approx(registry.get_sample_value(f"{name}_sum"))


def test_a_clock_that_went_wrong_makes_nothing_negative() -> None:
    metrics = Metrics()
    metrics.answers.add(KIND, 1000, 0.5, -3.0, None, None)
    assert value(metrics, "overhead_seconds_sum") == 0
    assert value(metrics, "overhead_seconds_count") == 1


def test_what_has_no_price_is_told_apart_from_what_costs_nothing() -> None:
    metrics = Metrics()
    tell(metrics, Usage(in_uncached=1), cost=0)
    tell(metrics, Usage(in_uncached=1))
    tell(metrics, Usage(units={"images": 1.0}))
    tell(metrics, Usage())
    tell(metrics)
    assert value(metrics, "cost_usd_total", **OF_MODEL) == 0
    assert value(metrics, "unpriced_total", **OF_MODEL) == 2


def test_what_did_not_happen_has_no_series() -> None:
    metrics = Metrics()
    tell(metrics)
    tell(metrics, Usage())
    for name, labels in (("cost_usd_total", OF_MODEL), ("unpriced_total", OF_MODEL)):
        assert value(metrics, name, **labels) is None
    assert value(metrics, "usage_estimated_total", provider="main") is None
    assert value(metrics, "tokens_total", **OF_MODEL, **{"class": "in_uncached"}) is None


def test_what_was_not_believed_is_told_apart_from_what_was_not_sent() -> None:
    metrics = Metrics()
    for usage in (Usage(estimated=True), Usage(rejected=True, estimated=True), Usage(rejected=True), Usage()):
        tell(metrics, usage)
    assert value(metrics, "usage_estimated_total", provider="main") == 2
    assert value(metrics, "usage_rejected_total", provider="main", extent="whole") == 1
    assert value(metrics, "usage_rejected_total", provider="main", extent="part") == 1


def test_kinds_do_not_mix() -> None:
    metrics = Metrics()
    for route, streamed, times in (("r", False, 3), ("r", True, 2), ("s", True, 1)):
        for _ in range(times):
            metrics.answers.add((route, "main", "m-1", streamed), 1, 0.5, 0.0, Usage(estimated=streamed), None)
    counts = {
        (route, stream): value(metrics, "request_duration_seconds_count", route=route, stream=stream)
        for route in "rs"
        for stream in ("false", "true")
    }
    assert counts == {("r", "false"): 3, ("r", "true"): 2, ("s", "false"): None, ("s", "true"): 1}
    assert value(metrics, "first_content_seconds_count", provider="main") == 6
    assert value(metrics, "usage_estimated_total", provider="main") == 3
