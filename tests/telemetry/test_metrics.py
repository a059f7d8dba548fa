"""What metrics tell: a bounded number of series whatever callers send, and all workers as one."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import GatewayError
from gaiarouter.pipeline.runner import run
from gaiarouter.store.keys import mint
from gaiarouter.telemetry import Metrics
from tests.gateway.running import RunningGateway, Starter
from tests.pipeline.scripted import Clock, exchange
from tests.support.script import json_answer
from tests.support.upstream import ScriptedUpstream

REQUESTS = 10_000
UNLIMITED = {"requests": "unlimited", "tokens": "unlimited", "concurrent": "unlimited"}


def _series(gateway: RunningGateway) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    families = gateway.gateway.metrics.registry.collect()
    return {(s.name, tuple(sorted(s.labels.items()))) for family in families for s in family.samples}


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + "-/._:", k=rng.randint(1, 60)))


async def _ask(gateway: RunningGateway, rng: random.Random, key: str, model: str) -> None:
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "x"}]}' % model.encode()
    made = exchange(Clock(), body, credentials=(key,))
    made.id, made.request_id = f"{rng.getrandbits(96):x}", _word(rng)
    made.source = lambda: f"198.51.{rng.randrange(256)}.{rng.randrange(256)}"
    try:
        await run(gateway.gateway._serving.service.stages, made)
    except GatewayError:
        pass  # as most of them end
    finally:
        if made.admitted:
            gateway.gateway._gate.leave()


async def test_s34_ten_thousand_models_and_keys_make_no_series(start: Starter) -> None:
    gateway = await start(
        routes=[{"match": ["demo", "any-*"], "targets": [{"provider": "demo", "model": "{model}"}]}],
        limits=UNLIMITED,
        auth={"wrong_keys": "1000/min"},
    )
    rng = random.Random(7)
    keys = [await gateway.mint(name=f"key {number}", limits=None) for number in range(20)]

    async def ask(count: int) -> None:
        for _ in range(count):
            # a key that could be one costs a look into the store
            key = mint().text if rng.random() < 0.02 else rng.choice((rng.choice(keys), _word(rng), ""))
            model = rng.choice(("demo", f"any-{_word(rng)}", _word(rng)))
            await _ask(gateway, rng, key, model)

    await ask(200)
    before = _series(gateway)
    await ask(REQUESTS - 200)
    new = _series(gateway) - before
    assert {name for name, _ in new} <= {"gaiarouter_auth_failures_total", "gaiarouter_requests_total"}, new
    assert len(new) <= 2, "of what had not happened before, such as too many wrong keys"
    values = {value for _, labels in before | new for _, value in labels}
    assert not any(key in value for key in keys for value in values)
    assert not {value for value in values if value.startswith("any-") and value != "any-*"}
    assert gateway.metric("requests_total", route="none", model="none", code_class="4xx", code="model_not_found") > 100


async def test_a_scrape_can_be_read_in_both_formats_packed_or_not(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"error": {"message": "no"}}, status=401)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        for model in ("demo", "alone", "nothing"):
            await gateway.chat(model)
        await gateway.idle()
        plain = await gateway.get("/metrics", headers={"accept-encoding": "identity"})
        newer = await gateway.get(
            "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0", "accept-encoding": "gzip"}
        )
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    assert newer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    by_text = {family.name for family in text_format(plain.body.decode())}
    by_newer = {family.name for family in open_metrics(gzip.decompress(newer.body).decode())}
    assert by_text == by_newer
    assert b'gaiarouter_rests_total{provider="main",reason="refused"} 1.0' in plain.body
    assert b'gaiarouter_resting{provider="main"} 1.0' in plain.body
    assert b'gaiarouter_upstream_connections{state="open"}' in plain.body


async def test_what_is_looked_at_is_told(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"error": {"message": "down"}}, status=500)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, server={"max_requests": 77})
        for _ in range(6):
            await gateway.chat("alone")
        await gateway.idle()
        assert gateway.metric("breaker_state", provider="main") == 2
        assert gateway.metric("breaker_transitions_total", provider="main", to="open") == 1
        assert gateway.metric("upstream_connects_total") > 0
    assert gateway.metric("request_slots") == 77
    assert gateway.metric("store_connections", state="open") == 2
    assert gateway.metric("config_last_reload_success_timestamp_seconds") > 1.7e9


async def test_refusals_are_counted_by_what_refused(start: Starter) -> None:
    gateway = await start(auth={"wrong_keys": "2/min"})
    for key in ("", "sk-other", mint().text, mint().text, mint().text):
        await gateway.chat("demo", headers={"authorization": f"Bearer {key}"} if key else {"authorization": ""})
    few = await gateway.mint(name="few", limits=Limits(requests=Rate(1, 60.0)))
    for _ in range(3):
        await gateway.chat("demo", headers={"authorization": f"Bearer {few}"})
    await gateway.idle()
    counted = {why: gateway.metric("auth_failures_total", reason=why) for why in ("no_key", "wrong_key", "too_many")}
    assert counted == {"no_key": 1, "wrong_key": 3, "too_many": 1}
    assert gateway.metric("limit_refusals_total", limit="requests") == 2


async def test_operators_requests_are_counted(start: Starter) -> None:
    gateway = await start()
    assert (await gateway.get("/v1/stats")).status == 403
    counted = gateway.metric("control_requests_total", operation="get /v1/stats", code_class="4xx")
    assert counted == 1


WORKER = """
import asyncio, sys
from gaiarouter.telemetry import Metrics
def work(number):
    metrics = Metrics()
    metrics.started("1.2.3")
    metrics.in_flight.inc()
    metrics.requests.labels("r", "m", "2xx", "ok").inc(number)
    metrics.breaker_state.set_all({"main": number % 3, "gone": 2})
    metrics.breaker_state.set_all({"main": number % 3})
    metrics.reloads.count(succeeded=number != 2)
    metrics.storage_away.set(number == 1)
    metrics.first_content.labels("main").observe(0.2)
    metrics.look()
    return metrics
metrics = work(int(sys.argv[1]))
if len(sys.argv) > 2:
    sys.stdout.write(metrics.render()[0].decode())
"""


def test_a_scrape_shows_several_workers_each_gauge_in_its_own_way(tmp_path: Path) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def work(*arguments: str) -> str:
        command = [sys.executable, "-c", WORKER, *arguments]
        return subprocess.run(command, env=environ, capture_output=True, check=True, timeout=30).stdout.decode()

    work("1")
    work("2")
    lines = work("3", "scrape").splitlines()
    expected = [
        "gaiarouter_workers 3.0",
        "gaiarouter_worker_starts_total 3.0",
        "gaiarouter_requests_in_flight 3.0",
        'gaiarouter_requests_total{code="ok",code_class="2xx",model="m",route="r"} 6.0',
        'gaiarouter_breaker_state{provider="main"} 2.0',
        'gaiarouter_breaker_state{provider="gone"} 0.0',
        "gaiarouter_config_last_reload_successful 0.0",
        "gaiarouter_config_reloads_total 3.0",
        "gaiarouter_storage_away 1.0",
        'gaiarouter_first_content_seconds_count{provider="main"} 3.0',
    ]
    assert [line for line in expected if line not in lines] == []
    assert [line for line in lines if line.startswith("gaiarouter_build_info{")]


@pytest.mark.parametrize("workers", [1, 2])
async def test_other_workers_gauges_are_told_now_and_then_and_ones_own_when_asked(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if workers > 1:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    metrics, looked = Metrics(), 0

    def look() -> None:
        nonlocal looked
        looked += 1

    metrics.on_look(look)
    for _ in range(20):
        metrics.beat(0.0)
    assert looked == (0 if workers == 1 else 2)
    await asyncio.sleep(0)
