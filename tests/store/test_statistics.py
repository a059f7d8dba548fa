"""Sums over hours are exact whatever is sent twice; the records behind them are found by what narrows them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from gaiarouter.store.base import Store, UsageRecord
from gaiarouter.store.records import Page, StatsGroup, UsageFilter, Window
from gaiarouter.store.tables.histogram import BOUNDS_MS, BUCKETS, bucket_of, quantile_ms
from tests.store.test_store import KEPT_LOST, RECORD

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 20_000 * DAY
ALL = Window(START, START + 30 * DAY)


def record(number: int, **changes: object) -> UsageRecord:
    base = structs.replace(
        RECORD,
        id=f"r{number:03d}",
        time_us=START + number * HOUR // 2,
        key="key_1",
        organization="org_1",
        route="r",
        model_served="m",
        provider="p",
        status=200,
        outcome="ok",
        in_uncached=10,
        in_cache_read=0,
        in_cache_write=0,
        in_tool=0,
        out_visible=3,
        out_reasoning=0,
        cost_nano_usd=7,
        duration_us=300_000,
        first_content_us=60_000,
    )
    return structs.replace(base, **changes)  # type: ignore[arg-type]  # a test's changes are of the fields' types


async def sums(store: Store, by: StatsGroup, window: Window = ALL) -> dict[str | int, tuple[int, int, int]]:
    found = await store.usage_sums(window, by)
    return {group: (each.requests, each.tokens["in_uncached"], each.cost_nano_usd) for group, each in found}


async def test_what_is_sent_twice_counts_once(store: Store) -> None:
    records = [record(number) for number in range(7)]
    await store.add_usage(records[:4])
    await store.add_usage(records)
    await store.add_usage(records)
    assert await sums(store, "hour") == {
        START: (2, 20, 14),
        START + HOUR: (2, 20, 14),
        START + 2 * HOUR: (2, 20, 14),
        START + 3 * HOUR: (1, 10, 7),
    }
    assert await sums(store, "day") == {START: (7, 70, 49)}


async def test_sums_agree_with_the_records_however_they_come(store: Store) -> None:
    records = [
        record(number, key=f"key_{number % 3}", model_served=f"m{number % 5}", cost_nano_usd=number, in_uncached=number)
        for number in range(230)
    ]
    for start in range(0, 230, 37):
        await store.add_usage(records[start : start + 37])
    by_model = {f"m{rest}": [each for each in records if each.model_served == f"m{rest}"] for rest in range(5)}
    assert await sums(store, "model") == {
        model: (len(some), sum(each.in_uncached for each in some), sum(each.cost_nano_usd or 0 for each in some))
        for model, some in by_model.items()
    }
    window = replace(ALL, key="key_1")
    assert sum(count for count, _, _ in (await sums(store, "day", window)).values()) == 77


async def test_errors_and_what_has_no_price_are_told_apart(store: Store) -> None:
    nothing = {"in_uncached": 0, "out_visible": 0, "cost_nano_usd": None, "first_content_us": None}
    await store.add_usage(
        [record(0), record(1, cost_nano_usd=None), record(2, status=502, provider=None, model_served=None, **nothing)]
    )
    found = dict(await store.usage_sums(ALL, "provider"))
    assert (found["p"].requests, found["p"].errors, found["p"].unpriced) == (2, 0, 1)
    assert (found[""].requests, found[""].errors, found[""].unpriced) == (1, 1, 0)
    assert (sum(found[""].durations), sum(found[""].first_contents)) == (1, 0)


async def test_large_and_round_sums_are_exact(store: Store) -> None:
    """PostgreSQL adds whole numbers up as decimals, whose text may have an exponent."""
    await store.add_usage([record(number, cost_nano_usd=10**14 // 2) for number in range(2)])
    assert (await sums(store, "day"))[START][2] == 10**14
    await store.add_usage([record(2, cost_nano_usd=1)])
    assert (await sums(store, "day"))[START][2] == 10**14 + 1


@pytest.mark.parametrize("by", ["route", "provider", "key", "organization", "model", "hour", "day"])
async def test_every_group_is_answered(store: Store, by: StatsGroup) -> None:
    await store.add_usage([record(0)])
    assert len(await store.usage_sums(ALL, by)) == 1
    assert await store.usage_sums(replace(ALL, organization="org_2"), by) == []
    assert await store.usage_sums(replace(ALL, start_us=START + HOUR), by) == []


async def test_records_are_listed_the_newest_first_and_narrowed(store: Store) -> None:
    await store.add_usage([record(number) for number in range(5)])
    await store.add_usage(
        [record(9, organization=None, key=None, provider="q", model_served="n", outcome="error", request_id="mine")]
    )

    async def found(**members: str) -> list[str]:
        window = Window(START, START + DAY, members.pop("organization", None), members.pop("key", None))
        which = UsageFilter(window, **members)
        listed = await store.list_usage(which, Page(limit=3))
        assert await store.count_usage_of(which, at_most=100) >= len(listed)
        return [each.id for each in listed]

    assert await found() == ["r009", "r004", "r003"]
    assert await found(organization="org_1") == ["r004", "r003", "r002"]
    assert await found(organization="") == ["r009"]
    assert await found(key="key_1", provider="q") == []
    assert await found(provider="q") == await found(model="n") == await found(outcome="error") == ["r009"]
    assert await found(request_id="mine") == ["r009"]
    which = UsageFilter(ALL)
    assert [each.id for each in await store.list_usage(which, Page(offset=4, limit=9))] == ["r001", "r000"]
    assert (await store.count_usage_of(which, at_most=4), await store.count_usage_of(which, at_most=99)) == (4, 6)


async def test_tries_that_may_be_billed_are_listed_by_provider(store: Store) -> None:
    other = replace(KEPT_LOST, provider="other")
    await store.add_usage(
        [record(0), record(1, lost=(KEPT_LOST, other)), record(2, lost=(other,)), record(999, lost=(other,))]
    )
    await store.add_usage(
        [record(number, time_us=START, id=f"many{number:04d}", lost=(KEPT_LOST,)) for number in range(2100)]
    )
    window = Window(START, START + DAY)
    found = await store.list_lost(window)
    assert (found.count(KEPT_LOST), found.count(other)) == (2101, 2)
    assert await store.list_lost(replace(window, provider="other")) == [other, other]


async def test_old_records_are_forgotten_and_their_sums_stay(store: Store) -> None:
    await store.add_usage([record(number, time_us=START + DAY + (number - 6) * HOUR // 2) for number in range(10)])
    before = START + DAY
    assert await store.forget_usage(before_us=before, at_most=4) == 4
    assert [each.id for each in await store.list_usage(UsageFilter(ALL), Page(offset=4))] == ["r005", "r004"]
    assert await store.forget_usage(before_us=before, at_most=4) == 2
    assert await store.forget_usage(before_us=before, at_most=4) == 0
    assert await store.count_usage() == 4
    assert {day: count for day, (count, _, _) in (await sums(store, "day")).items()} == {START: 6, START + DAY: 4}


def test_quantiles_lie_in_the_bucket_that_they_fall_into() -> None:
    assert quantile_ms([0] * BUCKETS, 0.5) is None
    assert [bucket_of(bound * 1000) for bound in BOUNDS_MS] == list(range(BUCKETS - 1))
    assert bucket_of(BOUNDS_MS[-1] * 1000 + 1) == BUCKETS - 1
    counts = [0] * BUCKETS
    counts[2], counts[5] = 90, 10  # 50 to 100 ms, 350 to 500 ms
    assert quantile_ms(counts, 0.45) == 75.0
    assert quantile_ms(counts, 0.95) == 425.0
    counts[-1] = 1000
    assert quantile_ms(counts, 0.95) == BOUNDS_MS[-1]
