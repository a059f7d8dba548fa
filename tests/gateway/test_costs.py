"""What an answer costs: told to the caller where that can still be, recorded always."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.faults import healthy
from tests.gateway.running import ANSWER, PROVIDER_KEY, Starter
from tests.support.upstream import ScriptedUpstream

# USAGE of faults.py is 7 tokens in and 3 out: 7 * 3000 + 3 * 15000 nano-dollars
COST_NANO = 66_000


def priced(upstream: ScriptedUpstream, *prices: dict[str, Any]) -> dict[str, Any]:
    main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY}
    return {"demo": {"dialect": "echo"}, "main": {**main, "prices": list(prices)} if prices else main}


async def test_a_whole_answer_tells_its_cost_and_the_record_has_it(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        providers = priced(upstream, {"match": "m-*", "input": 3, "output": 15})
        gateway = await start({"main": upstream.url("/v1")}, providers=providers)
        reply = await gateway.chat("alone")
        assert reply.headers["x-gaia-cost"] == "0.000066"
        assert (await gateway.record())["cost_nano_usd"] == COST_NANO


async def test_a_stream_is_not_touched_and_its_record_has_the_cost(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        providers = priced(upstream, {"match": "m-*", "input": 3, "output": 15})
        gateway = await start({"main": upstream.url("/v1")}, providers=providers)
        reply = await gateway.chat("alone", stream=True)
        assert "x-gaia-cost" not in reply.headers
        assert (await gateway.record())["cost_nano_usd"] == COST_NANO


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_model_that_nobody_knows_the_price_of_is_unpriced_and_counted(start: Starter, stream: bool) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, providers=priced(upstream))
        reply = await gateway.chat("alone", stream=stream)
        assert "x-gaia-cost" not in reply.headers
        assert (await gateway.record())["cost_nano_usd"] is None
        assert gateway.metric("unpriced_total", provider="main", model="m-1") == 1


async def test_what_is_free_costs_nothing_which_is_known(start: Starter) -> None:
    gateway = await start({})
    reply = await gateway.chat("demo")
    assert reply.headers["x-gaia-cost"] == "0"
    assert (await gateway.record())["cost_nano_usd"] == 0
