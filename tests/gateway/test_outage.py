"""Outages by the providers' own counts (N6, N7): what they are asked while they fail, and when they are back."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.gateway.faults import completion, healthy
from tests.gateway.running import ANSWER, BACKUP_ANSWER, PATIENT, Reply, RunningGateway, Starter, assert_error
from tests.support.script import Hang, Script, Until, error_answer, json_answer
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream

REQUESTS = 1000
AT_ONCE = 40
MANY = {"concurrent": "unlimited", "requests": "unlimited", "tokens": "unlimited"}
QUICK = {"backoff": "1ms", "max_backoff": "2ms"}


async def flood(gateway: RunningGateway, models: int = 1, *, stream: bool = False) -> list[Reply]:
    """1,000 requests, some at once, over so many names of models."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Reply:
        async with places:
            return await gateway.chat(f"m-{number % models}", stream=stream)

    return await asyncio.gather(*[one(number) for number in range(REQUESTS)])


def chain(**retry: Any) -> dict[str, Any]:
    """Each name of a model is a target of its own, with a circuit of its own."""
    demo = {"match": "demo", "targets": [{"provider": "demo"}]}
    route = {"match": "m-*", "targets": [{"provider": "main"}], "fallbacks": [{"provider": "backup"}]}
    return {"routes": [demo, route], "limits": MANY, "defaults": PATIENT | {"retry": QUICK | retry}}


FAILURES = {
    "503": error_answer(503),
    "429": error_answer(429, headers={"retry-after-ms": "1"}),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_n7_with_every_target_failing_a_provider_is_asked_little_more_than_once_a_request(
    start: Starter, failure: str
) -> None:
    """No circuit opens: each target gets fewer failures than that takes. What holds the retries down is the share."""
    script = FAILURES[failure]
    async with ScriptedUpstream(script) as main, ScriptedUpstream(script) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        gateway = await start(bases, **chain(attempts=4, per_target=3, budget="20%"))
        replies = await flood(gateway, models=REQUESTS)
        assert {reply.status for reply in replies} <= {429, 502, 503}
        for upstream in (main, backup):
            assert len(upstream.requests) <= 1.2 * REQUESTS + 10, "ten retries were saved up before"
        per_request = Counter(request.headers["x-request-id"] for u in (main, backup) for request in u.requests)
        assert max(per_request.values()) <= 4
        assert len(main.requests) + len(backup.requests) <= 4 * REQUESTS


async def test_n7_once_circuits_are_open_an_outage_costs_a_provider_next_to_nothing(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(503)) as main, ScriptedUpstream(error_answer(503)) as backup:
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")}, **chain())
        replies = await flood(gateway)
        assert {reply.status for reply in replies} == {503}
        assert len(main.requests) + len(backup.requests) <= 3 * (AT_ONCE + 20) < REQUESTS
        assert len(await gateway.records()) == REQUESTS


async def test_n6_a_provider_that_returns_is_probed_by_one_at_a_time_and_used_within_a_cooldown(start: Starter) -> None:
    """While it is half open a crowd asks: at no time has it more than one request, until three in a row were good."""
    running, most, well, go = 0, 0, asyncio.Event(), asyncio.Event()

    def script(request: Received) -> Script:
        nonlocal running, most
        if not well.is_set():
            return error_answer(503)
        running += 1
        most = max(most, running)
        return [Until(go), *json_answer(completion(ANSWER))]

    async with ScriptedUpstream(script) as main, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        gateway = await start(
            bases,
            **(chain() | {"defaults": PATIENT | {"retry": QUICK, "breaker": {"cooldown": "2s"}}}),
        )
        for _ in range(5):
            assert (await gateway.chat("m-0")).text == BACKUP_ANSWER
        assert gateway.metric("breaker_state", provider="main") == 2
        well.set()
        loop = asyncio.get_running_loop()
        back_at = loop.time()
        asked = len(main.requests)
        crowd: list[asyncio.Task[Reply]] = []
        async with asyncio.timeout(BOUND_S):
            while len(main.requests) == asked:
                crowd += [asyncio.create_task(gateway.chat("m-0")) for _ in range(20)]
                await asyncio.sleep(0.05)
                await asyncio.wait(crowd[-20:], return_when=asyncio.FIRST_COMPLETED)
        assert loop.time() - back_at < 10, "N6; one cooldown, and a moment, where nothing else runs"
        assert most == 1
        others = await asyncio.gather(*[gateway.chat("m-0") for _ in range(20)])
        assert {reply.text for reply in others} == {BACKUP_ANSWER}, "the probe is out: nobody else waits for it"
        assert most == 1
        go.set()
        await asyncio.gather(*crowd)
        for _ in range(3):
            assert (await gateway.chat("m-0")).text == ANSWER
        assert gateway.metric("breaker_state", provider="main") == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_callers_that_hang_up_cool_nothing(start: Starter, stream: bool) -> None:
    async with ScriptedUpstream([Hang()]) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, limits=MANY, defaults={"timeouts": {"first_byte": "60s"}})
        for number in range(30):
            task = asyncio.create_task(gateway.chat(stream=stream))
            await upstream.until(lambda number=number: len(upstream.requests) == number + 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await gateway.idle()
        assert gateway.metric("breaker_state", provider="main") == 0
        assert gateway.metric("client_disconnects_total", phase="before") == 30


async def test_when_nothing_is_well_the_least_bad_is_tried(start: Starter) -> None:
    """Both circuits are open; then one target is well again: it is found long before its cooldown is over."""
    well = asyncio.Event()

    def script(request: Received) -> Script:
        return json_answer(completion(ANSWER)) if well.is_set() else error_answer(503)

    async with ScriptedUpstream(script) as main, ScriptedUpstream(error_answer(503)) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        config = chain() | {"defaults": {"retry": QUICK, "breaker": {"cooldown": "600s"}}}
        gateway = await start(bases, **config)
        for _ in range(6):
            assert (await gateway.chat("m-0")).status == 503
        assert [gateway.metric("breaker_state", provider=name) for name in bases] == [2, 2]
        well.set()
        async with asyncio.timeout(BOUND_S):
            while (reply := await gateway.chat("m-0")).status != 200:
                assert_error(reply, 503, reply.error["code"])
                await asyncio.sleep(0.05)
        assert reply.text == ANSWER


async def test_a_key_without_credit_rests_and_the_other_one_serves(start: Starter) -> None:
    spent = error_answer(429, code="insufficient_quota", message="You exceeded your current quota")

    def script(request: Received) -> Script:
        return spent if request.headers["authorization"].endswith("spent") else json_answer(completion(ANSWER))

    async with ScriptedUpstream(script) as main:
        keys = {"api_key": ["sk-main-spent", "sk-main-good"], "dialect": "openai", "base_url": main.url("/v1")}
        gateway = await start(
            {"main": main.url("/v1")}, providers={"demo": {"dialect": "echo"}, "main": keys}, limits=MANY
        )
        replies = [await gateway.chat() for _ in range(40)]
        assert {(reply.status, reply.text) for reply in replies} == {(200, ANSWER)}
        asked_with = Counter(request.headers["authorization"] for request in main.requests)
        assert asked_with == {"Bearer sk-main-spent": 1, "Bearer sk-main-good": 40}
        assert gateway.metric("breaker_state", provider="main") == 0
        assert gateway.metric("resting", provider="main") == 1
        key = await gateway.mint(name="operator", permissions=["admin"])
        health = await gateway.get("/v1/routes/health", headers={"authorization": f"Bearer {key}"})
        (resting,) = health.json()["resting_keys"]
        assert (resting["provider"], resting["index"]) == ("main", 0)
        assert 290 < resting["rests_s"] <= 300


async def test_the_health_of_targets_is_told_to_who_may_know(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(503)) as main, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": main.url("/v1"), "backup": backup.url("/v1")}, **chain())
        for _ in range(6):
            assert (await gateway.chat("m-0")).status == 200
        assert_error(await gateway.get("/v1/routes/health"), 403, "admin_required")
        key = await gateway.mint(name="operator", permissions=["admin"])
        told = (await gateway.get("/v1/routes/health", headers={"authorization": f"Bearer {key}"})).json()
        by_provider = {target["provider"]: target for target in told["targets"]}
        assert {name: (each["model"], each["state"]) for name, each in by_provider.items()} == {
            "main": ("m-0", "open"),
            "backup": ("m-0", "closed"),
        }
        assert by_provider["main"]["first_content_ms"] is None
        assert by_provider["backup"]["first_content_ms"] > 0
        assert {each["in_flight"] for each in told["targets"]} == {0}
        assert told["resting_keys"] == []
