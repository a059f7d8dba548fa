"""Vectors for Google's clients: from Google as they come, and from those who speak OpenAI's format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from tests.gateway.official import google_client
from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter
from tests.recorded import Interaction, interactions
from tests.support.script import error_answer, json_answer
from tests.support.upstream import ScriptedUpstream

BATCH = "/v1beta/models/alone:batchEmbedContents"
SINGLE = "/v1beta/models/alone:embedContent"
RECORDED = [each for each in interactions("google", "embeddings", ok=True) if "requests" in each.request]
VECTORS = [[0.5, -0.25, 0.125], [1.0, 2.0, 3.0]]
OPENAI = {
    "object": "list",
    "model": "m-1",
    "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS)],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


async def serving(start: Starter, upstream: ScriptedUpstream, dialect: str, **route: Any) -> RunningGateway:
    base = upstream.url("/v1" if dialect == "openai" else "")
    main = {"dialect": dialect, "base_url": base, "api_key": PROVIDER_KEY}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": "m-1"}], **route},
    ]
    return await start({"main": base}, providers={"demo": {"dialect": "echo"}, "main": main}, routes=routes)


def named(request: Any, model: str) -> Any:
    """The same with this model's name, wherever one stands."""
    top = {**request, "model": model} if "model" in request else request
    return {**top, "requests": [{**each, "model": model} for each in request["requests"]]}


@pytest.mark.parametrize("recorded", RECORDED, ids=repr)
async def test_every_recorded_answer_of_googles_arrives_as_it_was_sent(start: Starter, recorded: Interaction) -> None:
    async with ScriptedUpstream(json_answer(recorded.body)) as upstream:
        gateway = await serving(start, upstream, "google")
        reply = await gateway.post(named(recorded.request, "models/alone"), path=BATCH)
        (request,) = upstream.requests
    assert (reply.status, reply.body) == (200, recorded.body)
    assert request.path == "/v1beta/models/m-1:batchEmbedContents"
    assert json.loads(request.body) == named(recorded.request, "models/m-1")
    counted = recorded.answer.get("usageMetadata", {}).get("promptTokenCount")
    row = await gateway.record()
    assert row["estimated"] == (0 if counted else 1)
    assert not counted or row["in_uncached"] == counted


@pytest.mark.parametrize("version", [None, "v1beta", "v1"])
@pytest.mark.parametrize("dialect", ["google", "openai"])
async def test_the_official_client_gets_vectors(start: Starter, dialect: str, version: str | None) -> None:
    told = {"embeddings": [{"values": vector} for vector in VECTORS], "usageMetadata": {"promptTokenCount": 8}}
    async with ScriptedUpstream(json_answer(told if dialect == "google" else OPENAI)) as upstream:
        gateway = await serving(start, upstream, dialect)
        async with google_client(gateway, version=version) as caller:
            answer = await caller.models.embed_content(
                model="alone",
                contents=["first", "second"],
                config=types.EmbedContentConfig(output_dimensionality=3),
            )
        (request,) = upstream.requests
    assert answer.embeddings is not None
    assert [each.values for each in answer.embeddings] == VECTORS
    if dialect == "openai":
        wanted = {"model": "m-1", "input": ["first", "second"], "encoding_format": "float", "dimensions": 3}
        assert (request.path, json.loads(request.body)) == ("/v1/embeddings", wanted)
    row = await gateway.record()
    assert (row["in_uncached"], row["estimated"]) == (8, 0)


async def test_one_text_has_one_vector(start: Starter) -> None:
    told = {"embedding": {"values": VECTORS[0]}, "usageMetadata": {"promptTokenCount": 3}}
    body = {"content": {"parts": [{"text": "first"}]}, "taskType": "RETRIEVAL_QUERY"}
    async with ScriptedUpstream(json_answer(told)) as upstream:
        gateway = await serving(start, upstream, "google")
        reply = await gateway.post(body, path=SINGLE)
        (request,) = upstream.requests
    assert reply.json() == told
    assert (request.path, json.loads(request.body)) == ("/v1beta/models/m-1:embedContent", body)
    assert (await gateway.record())["in_uncached"] == 3


async def test_one_text_has_one_vector_of_another_provider(start: Starter) -> None:
    one = {**OPENAI, "data": OPENAI["data"][:1], "usage": None}
    body = {"model": "models/alone", "content": {"parts": [{"text": "a"}, {"text": "b"}]}, "task_type": "CLUSTERING"}
    async with ScriptedUpstream(json_answer(one)) as upstream:
        gateway = await serving(start, upstream, "openai")
        reply = await gateway.post(body, path=SINGLE)
        (request,) = upstream.requests
    assert reply.json()["embedding"] == {"values": VECTORS[0]}
    assert (reply.headers["x-gaia-dropped"], reply.headers["x-gaia-estimated"]) == ("taskType", "tokens")
    assert json.loads(request.body)["input"] == ["a\nb"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (SINGLE, {}, "content"),
        (SINGLE, {"content": "a"}, "content"),
        (SINGLE, {"content": {"parts": []}, "model": "models/other"}, "model"),
        (BATCH, {"requests": []}, "requests"),
        (BATCH, {"requests": [{"content": {"parts": [{"text": 1}]}}]}, "requests[0].content.parts[0].text"),
        (BATCH, {"requests": [{"model": "models/other", "content": {"parts": []}}]}, "requests[0].model"),
        (BATCH, b'{"requests":[{"content":{"parts":[]},"content":{"parts":[]}}]}', "requests[0]"),
    ],
)
async def test_a_wrong_field_is_named_in_googles_form(start: Starter, path: str, body: Any, param: str) -> None:
    async with ScriptedUpstream() as upstream:
        gateway = await serving(start, upstream, "google")
        reply = await gateway.post(body, path=path)
        assert not upstream.requests
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert f"`{param}`" in error["message"]


@pytest.mark.parametrize(
    ("requests", "param"),
    [
        ([{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}}], "requests[0].content"),
        (
            [
                {"content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"},
                {"content": {"parts": [{"text": "b"}]}},
            ],
            "requests[1]",
        ),
    ],
)
async def test_what_only_google_has_is_refused_elsewhere(start: Starter, requests: Any, param: str) -> None:
    async with ScriptedUpstream() as upstream:
        gateway = await serving(start, upstream, "openai")
        reply = await gateway.post({"requests": requests}, path=BATCH)
        assert not upstream.requests
    assert reply.status == 400
    assert f"`{param}`" in reply.json()["error"]["message"]


@pytest.mark.parametrize("dialect", ["google", "openai"])
async def test_a_missing_vector_is_no_answer(start: Starter, dialect: str) -> None:
    told = {"embeddings": []} if dialect == "google" else {**OPENAI, "data": []}
    async with ScriptedUpstream(json_answer(told)) as upstream:
        gateway = await serving(start, upstream, dialect)
        reply = await gateway.post({"requests": [{"content": {"parts": [{"text": "a"}]}}]}, path=BATCH)
    assert (reply.status, reply.json()["error"]["code"]) == (502, 502)


async def test_a_providers_refusal_is_told_in_googles_form(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(400, message="too long")) as upstream:
        gateway = await serving(start, upstream, "openai")
        reply = await gateway.post({"content": {"parts": [{"text": "a"}]}}, path=SINGLE)
    error = reply.json()["error"]
    assert (reply.status, error["status"], error["message"]) == (400, "INVALID_ARGUMENT", "too long")


async def test_edits_are_made_in_each_request(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({"embeddings": [{"values": [1]}, {"values": [2]}]})) as upstream:
        edits = {"default": {"outputDimensionality": 2}, "drop": ["title"]}
        gateway = await serving(start, upstream, "google", transform=edits)
        asked = {"content": {"parts": [{"text": "a"}]}}
        body = {"requests": [{**asked, "title": "t"}, {**asked, "outputDimensionality": 1}]}
        assert (await gateway.post(body, path=BATCH)).status == 200
        (request,) = upstream.requests
    one, two = json.loads(request.body)["requests"]
    assert one == {**asked, "outputDimensionality": 2, "model": "models/m-1"}
    assert two == {**asked, "outputDimensionality": 1, "model": "models/m-1"}
