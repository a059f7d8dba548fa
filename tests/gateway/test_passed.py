"""What is only passed through: moderations, pictures, speech, ranking."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from tests.gateway.official import openai_client
from tests.gateway.running import BACKUP_KEY, PROVIDER_KEY, Starter, assert_error
from tests.recorded import Interaction, interactions
from tests.support.script import (
    LAST_CHUNK,
    Reset,
    Send,
    Until,
    answer,
    chunk,
    error_answer,
    head,
    json_answer,
    sse,
    sse_answer,
)
from tests.support.upstream import ScriptedUpstream

PATHS = {"moderations": "/v1/moderations", "images": "/v1/images/generations", "rerank": "/v1/rerank"}
RECORDED = [
    (each, PATHS[each.endpoint])
    for endpoint in PATHS
    for each in interactions(endpoint=endpoint)
    if each.status == 200 and isinstance(each.request, dict)
]
REFUSED = [
    (each, PATHS[each.endpoint])
    for endpoint in PATHS
    for each in interactions("openai", endpoint)
    if each.status in (400, 422) and isinstance(each.request, dict) and each.request.get("model")
]
ASKED: dict[str, dict[str, Any]] = {
    "/v1/moderations": {"input": "is this kind?"},
    "/v1/images/generations": {"prompt": "a circle"},
    "/v1/audio/speech": {"input": "hello", "voice": "alloy"},
    "/v1/rerank": {"query": "bears", "documents": ["a", "b"]},
}
SPEECH = head(200, {"content-type": "audio/mpeg", "transfer-encoding": "chunked"})


def _ids(value: Any) -> str | None:
    return repr(value) if isinstance(value, Interaction) else None


@pytest.mark.parametrize(("recorded", "path"), RECORDED, ids=_ids)
async def test_every_recorded_answer_arrives_as_it_was_sent(start: Starter, recorded: Interaction, path: str) -> None:
    async with ScriptedUpstream(json_answer(recorded.body)) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")}, providers=_speaking(upstream, "moderations", "images", "rerank")
        )
        reply = await gateway.post({**recorded.request, "model": "alone"}, path=path)
        (request,) = upstream.requests
    assert (reply.status, reply.body) == (200, recorded.body)
    assert request.path == path
    assert json.loads(request.body) == {**recorded.request, "model": "m-1"}
    usage, row = recorded.answer.get("usage") or {}, await gateway.record()
    told = usage.get("input_tokens") or usage.get("prompt_tokens") or usage.get("total_tokens")
    assert not told or (row["in_uncached"], row["estimated"]) == (told, 0)
    assert row["out_visible"] == usage.get("output_tokens", 0)


@pytest.mark.parametrize(("recorded", "path"), REFUSED, ids=_ids)
async def test_every_recorded_refusal_arrives_as_it_was_sent(start: Starter, recorded: Interaction, path: str) -> None:
    script = json_answer(recorded.body, status=recorded.status)
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**ASKED[path], **recorded.request, "model": "alone"}, path=path)
    assert (reply.status, reply.json()["error"]) == (recorded.status, recorded.answer["error"])


def _speaking(upstream: ScriptedUpstream, *speaks: str) -> dict[str, Any]:
    main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY, "speaks": list(speaks)}
    return {"demo": {"dialect": "echo"}, "main": main}


async def test_the_official_client_has_a_text_moderated(start: Starter) -> None:
    (recorded, *_) = interactions("openai", "moderations")
    async with ScriptedUpstream(json_answer(recorded.answer)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            told = await client.moderations.create(model="alone", input="This is a safe message")
    assert told.results[0].flagged is recorded.answer["results"][0]["flagged"]


async def test_a_text_is_moderated_by_the_usual_model_where_none_is_named(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"id": "m", "model": "x", "results": []})) as upstream:
        routes = [
            {"match": "demo", "targets": [{"provider": "demo"}]},
            {"match": "omni-*", "targets": [{"provider": "main"}]},
        ]
        gateway = await start({"main": upstream.url("/v1")}, routes=routes)
        reply = await gateway.post({"input": "is this kind?"}, path="/v1/moderations")
        (request,) = upstream.requests
    assert reply.status == 200
    assert json.loads(request.body) == {"input": "is this kind?", "model": "omni-moderation-latest"}


async def test_the_official_client_has_a_picture_made(start: Starter) -> None:
    usage = {
        "input_tokens": 14,
        "input_tokens_details": {"image_tokens": 4, "text_tokens": 10},
        "output_tokens": 272,
        "total_tokens": 286,
    }
    made = {"created": 1, "data": [{"b64_json": "aGVsbG8="}, {"b64_json": "aGVsbG8="}], "usage": usage}
    async with ScriptedUpstream(json_answer(made)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            told = await client.images.generate(model="alone", prompt="a circle", n=2)
    assert told.data is not None
    assert [each.b64_json for each in told.data] == ["aGVsbG8=", "aGVsbG8="]
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (14, 272, 0)
    assert b'"units":{"images":2}' in gateway.log.getvalue()


async def test_the_official_client_watches_a_picture_come(start: Starter) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "aGVs", "partial_image_index": 0}
    done = {
        "type": "image_generation.completed",
        "b64_json": "aGVsbG8=",
        "usage": {"input_tokens": 9, "output_tokens": 70},
    }
    async with ScriptedUpstream(sse_answer([sse(partial), sse(done)])) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            events = [
                event.type async for event in await client.images.generate(model="alone", prompt="a", stream=True)
            ]
    assert events == ["image_generation.partial_image", "image_generation.completed"]
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (9, 70, 0)


@pytest.mark.parametrize("ending", [(), (Send(LAST_CHUNK),)], ids=["a broken connection", "an end without its event"])
async def test_a_picture_that_breaks_off_is_an_error_for_the_official_client(start: Starter, ending: Any) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "aGVs", "partial_image_index": 0}
    script = (*sse_answer([sse(partial)], end=False), *(ending or (Reset(),)))
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            stream = await client.images.generate(model="alone", prompt="a", stream=True)
            with pytest.raises(openai.APIError, match=r"broke off|ended before"):
                [event async for event in stream]
    assert (await gateway.record())["outcome"] == "interrupted"


@pytest.mark.parametrize("recorded", [each for each in interactions("openai", "audio") if each.answer_base64], ids=repr)
async def test_the_official_client_gets_recorded_speech(start: Starter, recorded: Interaction) -> None:
    script = answer(recorded.body, headers={"content-type": recorded.headers["content-type"]})
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        asked = {**recorded.request, "model": "alone"}
        async with (
            openai_client(gateway) as client,
            client.audio.speech.with_streaming_response.create(**asked) as response,
        ):
            said = b"".join([part async for part in response.iter_bytes()])
        (request,) = upstream.requests
    assert said == recorded.body
    assert response.headers["content-type"] == recorded.headers["content-type"]
    assert json.loads(request.body)["model"] == "m-1"
    assert b'"units":{"characters":%d}' % len(recorded.request["input"]) in gateway.log.getvalue()


async def test_speech_is_heard_while_it_is_made(start: Starter) -> None:
    go_on = asyncio.Event()
    script = (Send(SPEECH + chunk(b"first")), Until(go_on), Send(chunk(b"second") + LAST_CHUNK))
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        body = {**ASKED["/v1/audio/speech"], "model": "alone"}
        headers = {"authorization": f"Bearer {gateway.key}"}
        async with gateway.session.post(gateway.url("/v1/audio/speech"), headers=headers, json=body) as response:
            assert await response.content.readany() == b"first"
            go_on.set()
            assert await response.content.read() == b"second"
    assert (await gateway.record())["outcome"] == "ok"


async def test_speech_that_breaks_off_is_a_broken_connection(start: Starter) -> None:
    async with ScriptedUpstream((Send(SPEECH + chunk(b"first")), Reset())) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**ASKED["/v1/audio/speech"], "model": "alone"}, path="/v1/audio/speech")
    assert reply.broken
    assert reply.body == b"first"
    assert (await gateway.record())["outcome"] == "interrupted"


async def test_speech_that_nobody_listens_to_is_given_up_at_its_provider(start: Starter) -> None:
    async with ScriptedUpstream((Send(SPEECH), Send(chunk(b"x" * 65536), times=None))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        body = {**ASKED["/v1/audio/speech"], "model": "alone"}
        headers = {"authorization": f"Bearer {gateway.key}"}
        response = await gateway.session.post(gateway.url("/v1/audio/speech"), headers=headers, json=body)
        await response.content.readany()
        response.close()
        await upstream.client_gone()
    assert (await gateway.record())["outcome"] == "cancelled"


async def test_speech_that_comes_as_events_goes_on_as_events(start: Starter) -> None:
    events = [
        sse({"type": "speech.audio.delta", "audio": "aGk="}),
        sse({"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}),
    ]
    async with ScriptedUpstream(sse_answer(events)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        body = {**ASKED["/v1/audio/speech"], "model": "alone", "stream_format": "sse"}
        reply = await gateway.post(body, path="/v1/audio/speech")
    assert reply.body == b"".join(events)
    assert reply.headers["content-type"].startswith("text/event-stream")
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (14, 101, 0)


@pytest.mark.parametrize("path", ASKED)
async def test_what_fails_at_one_provider_is_done_by_the_next(start: Starter, path: str) -> None:
    good = {"results": [], "data": []}
    async with ScriptedUpstream(error_answer(503)) as first, ScriptedUpstream(json_answer(good)) as second:
        gateway = await start({"main": first.url("/v1"), "backup": second.url("/v1")}, providers=_two(first, second))
        reply = await gateway.post({**ASKED[path], "model": "fb"}, path=path)
    assert (reply.status, reply.json()) == (200, good)
    assert (reply.headers["x-gaia-provider"], reply.headers["x-gaia-attempts"]) == ("backup", "2")


@pytest.mark.parametrize("path", ASKED)
async def test_a_provider_without_the_operation_is_passed_over(start: Starter, path: str) -> None:
    async with ScriptedUpstream(json_answer({"results": []})) as upstream:
        providers = _two(upstream, upstream)
        providers["main"]["speaks"] = ["chat"]
        gateway = await start({"main": upstream.url("/v1"), "backup": upstream.url("/v1")}, providers=providers)
        served = await gateway.post({**ASKED[path], "model": "fb"}, path=path)
        assert (served.status, served.headers["x-gaia-provider"]) == (200, "backup")
        refused = await gateway.post({**ASKED[path], "model": "alone"}, path=path)
    assert_error(refused, 400, "unsupported_operation")


def _two(first: ScriptedUpstream, second: ScriptedUpstream) -> dict[str, Any]:
    speaks = ["moderations", "images", "speech", "rerank"]
    return {
        "demo": {"dialect": "echo"},
        "main": {"dialect": "openai", "base_url": first.url("/v1"), "api_key": PROVIDER_KEY, "speaks": speaks},
        "backup": {"dialect": "openai", "base_url": second.url("/v1"), "api_key": BACKUP_KEY, "speaks": speaks},
    }


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("/v1/moderations", {}, "missing_field", "input"),
        ("/v1/moderations", {"input": 3}, "invalid_type", "input"),
        ("/v1/images/generations", {"model": "alone"}, "missing_field", "prompt"),
        ("/v1/images/generations", {"prompt": "a circle"}, "missing_field", "model"),
        ("/v1/audio/speech", {"model": "alone", "voice": "alloy"}, "missing_field", "input"),
        ("/v1/rerank", {"model": "alone", "query": "a"}, "missing_field", "documents"),
        ("/v1/rerank", {"model": " ", "query": "a", "documents": []}, "invalid_request", "model"),
        ("/v1/rerank", {"model": "nobody", "query": "a", "documents": []}, "model_not_found", "model"),
    ],
)
async def test_a_wrong_field_is_named(start: Starter, path: str, body: dict[str, Any], code: str, param: str) -> None:
    gateway = await start({"main": "http://127.0.0.1:9/v1"})
    assert_error(await gateway.post(body, path=path), 404 if code == "model_not_found" else 400, code, param=param)


@pytest.mark.parametrize(
    "sent",
    [
        json_answer(b"<html>", headers={"content-type": "text/html"}),
        json_answer(b'{"data": ['),
        answer(b"", headers={"content-type": "audio/mpeg"}),
        sse_answer([sse(b"{")]),
    ],
    ids=["a web page", "half an answer", "nothing", "an event that is no JSON"],
)
async def test_what_is_no_answer_is_an_error_of_the_provider(start: Starter, sent: Any) -> None:
    async with ScriptedUpstream(sent) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**ASKED["/v1/audio/speech"], "model": "alone"}, path="/v1/audio/speech")
    assert_error(reply, 502, "upstream_bad_response")


async def test_an_error_in_place_of_an_answer_is_one(start: Starter) -> None:
    sent = json_answer({"error": {"message": "overloaded", "code": 503}})
    async with ScriptedUpstream(sent, json_answer({"results": []})) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**ASKED["/v1/moderations"], "model": "alone"}, path="/v1/moderations")
    assert (reply.status, len(upstream.requests)) == (200, 2)


async def test_edits_of_the_route_are_made(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"data": []})) as upstream:
        edits = {"default": {"size": "1024x1024", "n": 4}, "set": {"user": "{key.name}"}, "drop": ["style"]}
        routes = [
            {"match": "demo", "targets": [{"provider": "demo"}]},
            {"match": "alone", "targets": [{"provider": "main", "model": "m-1"}], "transform": edits},
        ]
        gateway = await start({"main": upstream.url("/v1")}, routes=routes)
        body = {"model": "alone", "prompt": "a", "n": 2, "style": "vivid"}
        assert (await gateway.post(body, path="/v1/images/generations")).status == 200
        (request,) = upstream.requests
    assert json.loads(request.body) == {
        "model": "m-1",
        "prompt": "a",
        "n": 2,
        "size": "1024x1024",
        "user": "tests",
    }
