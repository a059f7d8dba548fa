"""What a collector gets to see of requests: real protobuf over real HTTP."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.gateway.faults import ANSWER, ROLE, chunk_of, completion, healthy
from tests.gateway.running import PROMPT, PROVIDER_KEY, Starter, chat_body
from tests.server.process import EXIT_S, START_S, served
from tests.support.collector import CLIENT, SERVER, Collector, attributes
from tests.support.script import Reset, json_answer, sse, sse_answer
from tests.support.upstream import BOUND_S, ScriptedUpstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
OWN = {"dialect": "openai", "api_key": PROVIDER_KEY, "trace_context": True}
"""A provider that may know which trace a request belongs to."""


def told(span: Span) -> dict[str, Any]:
    return attributes(span.attributes)


async def test_a_request_is_a_span_and_its_try_another(start: Starter) -> None:
    async with Collector() as collector, ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, traces={"endpoint": collector.url})
        await gateway.chat("alone")
        server, client = await collector.until(2)
        line = next(
            each for each in map(json.loads, gateway.log.getvalue().splitlines()) if each["event"] == "request.end"
        )
    assert (server.kind, server.name, server.parent_span_id) == (SERVER, "POST /v1/chat/completions", b"")
    assert (client.kind, client.name, client.parent_span_id) == (CLIENT, "chat m-1", server.span_id)
    assert client.trace_id == server.trace_id
    assert line["trace_id"] == server.trace_id.hex()
    assert server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano
    assert client.end_time_unix_nano <= server.end_time_unix_nano
    assert {span.status.code for span in (server, client)} == {Status.STATUS_CODE_UNSET}
    assert collector.resources[0]["service.name"] == "gaiarouter"
    assert "traceparent" not in upstream.requests[0].headers, "a provider learns of traces only if it is told to"


async def test_spans_say_what_the_conventions_ask_for(start: Starter) -> None:
    async with Collector() as collector, ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, traces={"endpoint": collector.url})
        reply = await gateway.chat("alone", max_tokens=9)
        server, client = await collector.until(2)
    about = told(server)
    assert about.pop("gaiarouter.key.id").startswith("key_")
    assert about == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "gaiarouter.request_id": reply.headers["x-request-id"],
        "gaiarouter.attempts": 1,
        "gaiarouter.outcome": "ok",
        "gaiarouter.route": "alone",
        "gaiarouter.provider": "main",
        "gaiarouter.model": "m-1",
        "gen_ai.request.model": "alone",
    }
    host, _, port = upstream.url("").removeprefix("http://").partition(":")
    assert told(client) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.max_tokens": 9,
        "server.address": host,
        "server.port": int(port),
        "gaiarouter.provider": "main",
        "gaiarouter.attempt": 1,
        "gaiarouter.outcome": "ok",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gaiarouter.usage.estimated": False,
    }


async def test_a_callers_trace_goes_on_to_a_provider_that_may_know_it(start: Starter) -> None:
    async with Collector() as collector, ScriptedUpstream(healthy(ANSWER)) as upstream:
        providers = {"demo": {"dialect": "echo"}, "main": {**OWN, "base_url": upstream.url("/v1")}}
        traces = {"endpoint": collector.url, "sample": "0%"}
        gateway = await start({"main": upstream.url("/v1")}, providers=providers, traces=traces)
        await gateway.chat("alone", headers={"traceparent": SAMPLED, "tracestate": "vendor=1"})
        server, client = await collector.until(2)
        await gateway.chat("alone", headers={"traceparent": UNSAMPLED})
        await gateway.chat("alone")
        followed, silent, fresh = (request.headers for request in upstream.requests)
        lines = [json.loads(line) for line in gateway.log.getvalue().splitlines()]
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, PARENT)
    assert followed["traceparent"] == f"00-{TRACE}-{client.span_id.hex()}-01"
    assert followed["tracestate"] == "vendor=1"
    assert silent["traceparent"].startswith(f"00-{TRACE}-")
    assert silent["traceparent"].endswith("-00")
    assert not int(fresh["traceparent"][-2:], 16) & 1, "of those whose caller has not decided, none is traced"
    assert TRACE not in fresh["traceparent"]
    assert len(collector.spans) == 2, "not sampled is not sent"
    ends = [line for line in lines if line["event"] == "request.end"]
    assert [line["trace_id"] for line in ends] == [TRACE, TRACE, fresh["traceparent"].split("-")[1]]


@pytest.mark.parametrize(
    "parent", ["", "00", SAMPLED.upper().replace("-01", "-0"), f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01"]
)
async def test_what_is_no_traceparent_is_nothing(start: Starter, parent: str) -> None:
    async with Collector() as collector, ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, traces={"endpoint": collector.url})
        assert (await gateway.chat("alone", headers={"traceparent": parent})).status == 200
        server, _ = await collector.until(2)
    assert server.parent_span_id == b""
    assert server.trace_id.hex() != TRACE


async def test_two_traceparents_are_none_and_strangers_need_not_be_followed(start: Starter) -> None:
    async with Collector() as collector:
        gateway = await start(traces={"endpoint": collector.url})
        both = [
            ("authorization", f"Bearer {gateway.key}"),
            ("content-type", "application/json"),
            *(("traceparent", SAMPLED),) * 2,
        ]
        await gateway.request("POST", "/v1/chat/completions", headers=both, data=json.dumps(chat_body("demo")).encode())
        alone = await start(traces={"endpoint": collector.url, "follow_callers": False})
        await alone.chat("demo", headers={"traceparent": UNSAMPLED})
        spans = await collector.until(4)
    assert TRACE not in {span.trace_id.hex() for span in spans}


async def test_every_try_shows_and_how_it_failed(start: Starter) -> None:
    bad, good = ScriptedUpstream(json_answer({}, status=503)), ScriptedUpstream(healthy(ANSWER))
    async with Collector() as collector, bad, good:
        bases = {"main": bad.url("/v1"), "backup": good.url("/v1")}
        gateway = await start(bases, traces={"endpoint": collector.url}, defaults={"retry": {"per_target": 1}})
        assert (await gateway.chat("fb", stream=True)).status == 200
        server, first, second = await collector.until(3)
    assert (first.name, first.status.code, told(first)["error.type"]) == (
        "chat m-1",
        Status.STATUS_CODE_ERROR,
        "http_5xx",
    )
    assert (second.name, second.status.code) == ("chat m-2", Status.STATUS_CODE_UNSET)
    assert (told(first)["gaiarouter.attempt"], told(second)["gaiarouter.attempt"]) == (1, 2)
    assert "gen_ai.usage.input_tokens" not in told(first)
    assert told(second)["gen_ai.request.stream"] is True
    assert 0 < told(second)["gen_ai.response.time_to_first_chunk"] < 5
    assert (told(server)["gaiarouter.attempts"], server.status.code) == (2, Status.STATUS_CODE_UNSET)


async def test_a_failure_is_an_error_where_it_is_the_gateways_to_give(start: Starter) -> None:
    broken = (*sse_answer([ROLE, sse(chunk_of("half"))], end=False), Reset())
    async with Collector() as collector, ScriptedUpstream(broken) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, traces={"endpoint": collector.url})
        async with gateway.streaming() as response:
            await gateway.rest_of(response)
        await gateway.chat("alone", headers={"authorization": "Bearer wrong"})
        cut_off, _, refused = await collector.until(3)
    assert (cut_off.status.code, told(cut_off)["error.type"]) == (
        Status.STATUS_CODE_ERROR,
        "upstream_stream_interrupted",
    )
    assert told(cut_off)["gaiarouter.outcome"] == "interrupted"
    assert told(refused)["http.response.status_code"] == 401
    assert (refused.status.code, told(refused)["gaiarouter.code"]) == (Status.STATUS_CODE_UNSET, "invalid_api_key")
    assert "error.type" not in told(refused)


async def test_no_prompt_answer_or_key_is_in_a_span(start: Starter) -> None:
    quoting = {"error": {"message": f"bad key {PROVIDER_KEY} for {PROMPT}", "code": PROMPT, "type": PROVIDER_KEY}}
    failures = [json_answer(quoting, status=status) for status in (400, 401, 500)]
    async with Collector() as collector, ScriptedUpstream(*failures, json_answer(completion(ANSWER))) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")}, traces={"endpoint": collector.url, "headers": {"x-k": "s3"}}
        )
        for _ in failures:
            await gateway.chat("alone", stop=[PROMPT], user=PROMPT)
        body = json.dumps({"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}).encode()
        path = f"/v1beta/models/alone:generateContent?key={gateway.key}&prompt={PROMPT}"
        await gateway.request("POST", path, data=body, headers={"user-agent": PROMPT})
        spans = await collector.until(6)
        seen = b"".join(collector.bodies)
        for secret in (PROMPT, ANSWER, PROVIDER_KEY, gateway.key, gateway.key[-12:]):
            assert secret.encode() not in seen
        assert {request.headers["x-k"] for request in collector.requests} == {"s3"}
    assert "POST /v1beta/models/{call}" in {span.name for span in spans}


async def test_a_collector_that_is_away_costs_spans_and_nothing_else(start: Starter) -> None:
    async with Collector() as gone:
        away = gone.url
    gateway = await start(traces={"endpoint": away})
    async with asyncio.timeout(BOUND_S):
        while b"traces.not_delivered" not in gateway.log.getvalue():
            assert (await gateway.chat("demo")).status == 200
    assert (await gateway.chat("demo")).status == 200


async def test_each_worker_sends_its_own_and_a_drain_sends_the_rest(tmp_path: Path) -> None:
    async with Collector() as collector:
        traces = {"endpoint": collector.url, "attributes": {"deployment.environment.name": "test"}}
        async with served(tmp_path, {}, server={"workers": 2}, traces=traces) as gateway:
            asked = 0
            async with asyncio.timeout(START_S):
                while len({resource["service.instance.id"] for resource in collector.resources}) < 2:
                    asked += (await gateway.chat("demo")).status == 200
            answers = await asyncio.gather(*(gateway.chat("demo") for _ in range(20)))
            gateway.signal(signal.SIGTERM)
            assert await gateway.exit(within_s=EXIT_S) == 0
        assert len(collector.spans) == 2 * (asked + len(answers))
        assert {resource["deployment.environment.name"] for resource in collector.resources} == {"test"}
