"""A budget that is spent ends in 429 before any target is asked, and what was reserved and not spent comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.limits.budgets import period_of
from gaiarouter.store.keyring import now_us
from gaiarouter.store.records import Budget
from tests.gateway.faults import healthy
from tests.gateway.running import ANSWER, PROVIDER_KEY, QUICK, RunningGateway, Starter, assert_error, chat_body
from tests.support.script import json_answer
from tests.support.upstream import ScriptedUpstream

COST_NANO = 66_000  # USAGE of faults.py at the prices below


async def priced(start: Starter, upstream: ScriptedUpstream, **changes: Any) -> RunningGateway:
    prices = [{"match": "*", "input": 3, "output": 15}]
    main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY, "prices": prices}
    return await start({"main": upstream.url("/v1")}, providers={"demo": {"dialect": "echo"}, "main": main}, **changes)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_spent_budget_is_told_before_any_target_is_asked(start: Starter, stream: bool) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await priced(start, upstream)
        # the prompt is reserved by its estimate, the answer by the bound: 100 tokens of 15,000 nano-dollars
        key = await gateway.mint(budget=Budget(1_600_000, "total"))
        headers = {"authorization": f"Bearer {key}"}
        body = chat_body("alone", stream=stream, max_tokens=100)
        assert (await gateway.post(body, headers=headers)).status == 200
        await gateway.records()
        refused = await gateway.post(chat_body("alone", stream=stream, max_tokens=104), headers=headers)
        assert_error(refused, 429, "budget_exceeded")
        assert refused.headers["x-should-retry"] == "false"
        assert "retry-after" not in refused.headers
        assert "is left" in refused.json()["error"]["message"]
        assert len(upstream.requests) == 1
        await gateway.records()
        (row,) = [each for each in await gateway.records() if each["outcome"] == "ok"]
        assert await gateway.gateway.store.budget_in_use(row["key"], 0) == (COST_NANO, 0)
        assert gateway.metric("budget_refusals_total", scope="key") == 1


async def test_a_routes_own_bound_is_reserved_and_sent_where_the_caller_sets_none(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        targets = [{"provider": "main", "model": "m-1"}]
        routes = [
            {"match": "bound", "targets": targets, "transform": {"default": {"max_tokens": 100}}},
            {"match": "free", "targets": targets},
            {"match": "demo", "targets": [{"provider": "demo"}]},
        ]
        gateway = await priced(start, upstream, routes=routes)
        headers = {"authorization": f"Bearer {await gateway.mint(budget=Budget(1_600_000, 'total'))}"}
        assert_error(await gateway.post(chat_body("free"), headers=headers), 429, "budget_exceeded")
        assert (await gateway.post(chat_body("bound"), headers=headers)).status == 200
        assert [request.json()["max_tokens"] for request in upstream.requests] == [100]


async def test_a_request_that_costs_nothing_gives_all_back(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"error": {"message": "no"}}, status=400)) as upstream:
        row, in_use = await failed(await priced(start, upstream), status=400)
        assert (row["lost"], in_use) == (None, (0, 0))


async def test_a_prompt_that_a_silent_provider_may_bill_is_spent(start: Starter) -> None:
    async with ScriptedUpstream([]) as upstream:
        gateway = await priced(start, upstream, defaults=QUICK)
        row, in_use = await failed(gateway, status=504)
        (lost,) = json.loads(row["lost"])
        assert (lost["provider"], lost["outcome"], lost["estimated"]) == ("main", "timeout_first_byte", True)
        assert lost["in_uncached"] > 0
        assert in_use == (lost["in_uncached"] * 3_000, 0)
        assert (row["cost_nano_usd"], row["lost_nano_usd"]) == (None, in_use[0])
        assert gateway.metric("lost_attempts_total", provider="main", outcome="timeout_first_byte") == 1
        assert gateway.metric("lost_cost_usd_total", provider="main") == pytest.approx(in_use[0] / 1e9)


async def failed(gateway: RunningGateway, *, status: int) -> tuple[dict[str, Any], tuple[int, int]]:
    """A request that fails, its row, and what the key's budget then has spent and reserved."""
    key = await gateway.mint(budget=Budget(5_000_000, "month"))
    reply = await gateway.post(chat_body("alone", max_tokens=100), headers={"authorization": f"Bearer {key}"})
    assert reply.status == status
    row = await gateway.record()
    starts_us, _ = period_of(now_us(), "month")
    return row, await gateway.gateway.store.budget_in_use(row["key"], starts_us)
