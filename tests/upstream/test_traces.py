"""Spans on their way to a collector: nobody waits for it, nothing is kept without bound, all is counted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Traces
from gaiarouter.upstream.traces.sender import Pace, Sender
from gaiarouter.upstream.traces.spans import OpenTelemetry
from tests.support.collector import Collector
from tests.support.script import Hang
from tests.support.upstream import BOUND_S, ScriptedUpstream

FAST = Pace(gather_s=0.01, first_pause_s=0.01, pause_s=0.02, last_s=0.2)
NO_CONTEXT: Mapping[str, Sequence[str]] = {"traceparent": [], "tracestate": []}


class Sending:
    """A sender, the spans that it is given, and what it says became of them."""

    def __init__(self, url: str, pace: Pace = FAST, **settings: object) -> None:
        self.fates: Counter[str] = Counter()
        given = Traces(url, **settings)  # type: ignore[arg-type]  # a test's own
        sender = Sender(given, lambda fate, count: self.fates.update({fate: count}), pace)
        self.spans = OpenTelemetry(given, sender, sender.close)

    def end(self, count: int) -> None:
        for _ in range(count):
            self.spans.begin("a span", {}, NO_CONTEXT).end({}, None)

    async def until(self, **fates: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while +self.fates != Counter(fates):  # noqa: ASYNC110  # the sender's own task tells it
                await asyncio.sleep(0.001)


async def test_spans_go_out_together_with_the_operators_headers() -> None:
    async with Collector() as collector:
        sending = Sending(collector.url, headers={"authorization": Secret("Basic abc")}, service="edge")
        sending.end(3)
        await sending.until(sent=3)
        await sending.spans.close()
    (request,) = collector.requests
    assert request.headers["authorization"] == "Basic abc"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert collector.resources[0]["service.name"] == "edge"


@pytest.mark.parametrize("path", ["", "/", "/v1/traces", "/v1/traces/"])
async def test_the_path_may_stand_in_the_address_or_not(path: str) -> None:
    async with Collector() as collector:
        sending = Sending(collector.url + path)
        sending.end(1)
        await sending.until(sent=1)
        await sending.spans.close()


async def test_a_collector_that_is_busy_is_asked_again() -> None:
    async with Collector(lambda nth: 503 if nth < 3 else 200) as collector:
        sending = Sending(collector.url)
        sending.end(2)
        await sending.until(sent=2)
        await sending.spans.close()
    assert len(collector.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 413, 500, 302])
async def test_what_it_will_not_have_is_dropped_at_once(status: int) -> None:
    async with Collector(lambda _: status) as collector:
        sending = Sending(collector.url)
        sending.end(2)
        await sending.until(refused=2)
        await sending.spans.close()
    assert len(collector.requests) == 1


async def test_it_may_take_a_part_only() -> None:
    async with Collector(refused=2) as collector:
        sending = Sending(collector.url)
        sending.end(5)
        await sending.until(sent=3, refused=2)
        await sending.spans.close()


async def test_only_so_many_wait_and_a_large_batch_goes_in_parts() -> None:
    async with Collector() as collector:
        sending = Sending(collector.url, Pace(waiting=5, batch=2, gather_s=0.01))
        sending.end(9)
        await sending.until(sent=5, queue_full=4)
        await sending.spans.close()
    assert [len(taken.resource_spans[0].scope_spans[0].spans) for taken in collector.taken] == [2, 2, 1]


async def test_what_is_left_goes_out_at_the_end() -> None:
    async with Collector() as collector:
        sending = Sending(collector.url, Pace(gather_s=60))
        sending.end(3)
        await sending.spans.close()
    assert sending.fates["sent"] == 3
    assert len(collector.spans) == 3


async def test_the_end_does_not_wait_for_a_collector_that_hangs() -> None:
    async with ScriptedUpstream([Hang()]) as collector:
        sending = Sending(collector.url(""), Pace(batch=2, gather_s=0.01, last_s=0.1))
        sending.end(3)
        async with asyncio.timeout(BOUND_S):
            while not collector.requests:  # noqa: ASYNC110  # it hangs from then on
                await asyncio.sleep(0.001)
        started = asyncio.get_running_loop().time()
        await sending.spans.close()
        assert asyncio.get_running_loop().time() - started < BOUND_S / 2
    assert +sending.fates == Counter(given_up=3)


async def test_one_that_is_away_at_the_end_is_given_up() -> None:
    async with Collector() as gone:
        url = gone.url
    sending = Sending(url, Pace(gather_s=60, last_s=BOUND_S))
    sending.end(4)
    await sending.spans.close()
    assert +sending.fates == Counter(given_up=4)


def test_a_share_of_the_traces_is_kept_whole() -> None:
    exporter = InMemorySpanExporter()
    spans = OpenTelemetry(Traces("http://unused", sample=0.25), SimpleSpanProcessor(exporter))
    decided = []
    for _ in range(2000):
        span = spans.begin("request", {}, NO_CONTEXT)
        child = span.child("attempt", {})
        assert child.is_recording == span.is_recording
        child.end({}, None)
        span.end({}, None)
        decided.append(span.is_recording)
    assert 400 < sum(decided) < 600, "within six standard deviations of 500"
    assert len(exporter.get_finished_spans()) == 2 * sum(decided)


@pytest.mark.parametrize("sampled", [True, False])
def test_a_caller_that_has_decided_is_followed_whatever_the_share(sampled: bool) -> None:
    draw = Random(7)
    exporter = InMemorySpanExporter()
    spans = OpenTelemetry(Traces("http://unused", sample=0.5), SimpleSpanProcessor(exporter))
    for _ in range(50):
        parent = f"00-{draw.getrandbits(128):032x}-{draw.getrandbits(64):016x}-0{int(sampled)}"
        span = spans.begin("request", {}, {"traceparent": [parent], "tracestate": ["a=1", "b=2"]})
        assert span.is_recording is sampled
        assert span.headers()["traceparent"][:36] == parent[:36]
        assert span.headers()["tracestate"] == "a=1,b=2"


def test_nothing_of_it_is_loaded_where_traces_are_off() -> None:
    loads = "import sys, gaiarouter.assembly.process; sys.exit(any(m.startswith('opentelemetry') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0
