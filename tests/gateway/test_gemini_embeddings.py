"""Embeddings from Google, for callers that speak OpenAI's format."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter, assert_error
from tests.recorded import Interaction, interactions
from tests.support.script import json_answer
from tests.support.upstream import ScriptedUpstream

VECTORS = [[0.5, -0.25, 0.125], [1.0, 2.0, 3.0]]
PATH = "/v1/embeddings"
RECORDED = [
    each
    for each in interactions("google", "embeddings", ok=True)
    if "batchEmbedContents" in each.url_path and all("content" in item for item in each.request["requests"])
]


def answered(*vectors: Any, **members: Any) -> dict[str, Any]:
    return {"embeddings": [{"values": vector} for vector in vectors], **members}


async def serving(start: Starter, upstream: ScriptedUpstream, **route: Any) -> RunningGateway:
    provider = {"dialect": "google", "base_url": upstream.url(""), "api_key": PROVIDER_KEY}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": "gemini-embedding-001"}], **route},
    ]
    return await start(
        {"main": upstream.url("")}, providers={"demo": {"dialect": "echo"}, "main": provider}, routes=routes
    )


@pytest.mark.parametrize("asked", [openai.NOT_GIVEN, "float"])
async def test_the_official_client_gets_vectors_from_google(start: Starter, asked: Any) -> None:
    answer = answered(*VECTORS, usageMetadata={"promptTokenCount": 8})
    async with ScriptedUpstream(json_answer(answer)) as upstream:
        gateway = await serving(start, upstream)
        client = openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0)
        async with client:
            raw = await client.embeddings.with_raw_response.create(
                model="alone", input=["first", "second"], dimensions=3, encoding_format=asked, user="u-1"
            )
        (request,) = upstream.requests
    told = raw.parse()
    assert [item.embedding for item in told.data] == VECTORS
    assert [item.index for item in told.data] == [0, 1]
    assert (told.model, told.usage.prompt_tokens, told.usage.total_tokens) == ("gemini-embedding-001", 8, 8)
    assert request.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert request.headers["x-goog-api-key"] == PROVIDER_KEY
    assert json.loads(request.body) == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "outputDimensionality": 3,
                "content": {"parts": [{"text": text}]},
            }
            for text in ("first", "second")
        ]
    }
    assert raw.headers["x-gaia-dropped"] == "user"
    assert "x-gaia-estimated" not in raw.headers
    assert (await gateway.record())["in_uncached"] == 8


async def test_tokens_that_google_did_not_count_are_estimated_and_marked(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(answered([1.0]))) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", "input": "x" * 400}, path=PATH)
    assert reply.headers["x-gaia-estimated"] == "tokens"
    assert 100 <= reply.json()["usage"]["prompt_tokens"] <= 110
    row = await gateway.record()
    assert (row["in_uncached"], row["estimated"]) == (reply.json()["usage"]["prompt_tokens"], 1)


async def test_numbers_of_a_vector_stay_as_google_spelt_them(start: Starter) -> None:
    answer = b'{"embeddings":[{"values":[1e-3, -0.050, 7]}]}'
    async with ScriptedUpstream(json_answer(answer)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", "input": "a"}, path=PATH)
    assert b"[1e-3, -0.050, 7]" in reply.body


@pytest.mark.parametrize(
    "answer",
    [
        answered([1.0]),
        answered([1.0], [2.0], [3.0]),
        answered([1.0], "AAAA"),
        {"embeddings": [{}, {}]},
        {"embedding": {"values": [1.0]}},
        {},
        [],
    ],
)
async def test_an_answer_that_lacks_a_vector_is_none(start: Starter, answer: Any) -> None:
    async with ScriptedUpstream(json_answer(answer)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", "input": ["a", "b"]}, path=PATH)
    assert_error(reply, 502, "upstream_bad_response")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"input": [1, 2, 3]}, "unsupported_parameter"),
        ({"input": [[1], [2]]}, "unsupported_parameter"),
        ({"input": ["a"] * 101}, "invalid_value"),
    ],
)
async def test_what_google_does_not_take_is_refused_by_its_field(start: Starter, asked: Any, code: str) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", **asked}, path=PATH)
        assert upstream.requests == []
    assert_error(reply, 400, code, param="input")


async def test_a_strict_route_refuses_what_would_be_left_out(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(answered([1.0]))) as upstream:
        gateway = await serving(start, upstream, unsupported="error")
        reply = await gateway.post({"model": "alone", "input": "a", "truncate": "END"}, path=PATH)
        user = await gateway.post({"model": "alone", "input": "a", "user": "u"}, path=PATH)
    assert_error(reply, 400, "unsupported_parameter", param="truncate")
    assert user.status == 200


async def test_googles_refusal_comes_in_openais_shape(start: Starter) -> None:
    refused = {"error": {"code": 400, "message": "outputDimensionality is too large", "status": "INVALID_ARGUMENT"}}
    async with ScriptedUpstream(json_answer(refused, status=400)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", "input": "a"}, path=PATH)
    assert reply.status == 400
    assert set(reply.error) == {"message", "type", "param", "code"}
    assert "outputDimensionality" in reply.error["message"]


@pytest.mark.parametrize("recorded", RECORDED, ids=repr)
async def test_every_recorded_vector_arrives(start: Starter, recorded: Interaction) -> None:
    texts = [item["content"]["parts"][0]["text"] for item in recorded.request["requests"]]
    async with ScriptedUpstream(json_answer(recorded.answer)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "alone", "input": texts}, path=PATH)
    assert reply.status == 200, reply.body
    found = [item["embedding"] for item in reply.json()["data"]]
    assert found == [item["values"] for item in recorded.answer["embeddings"]]
    counted = recorded.answer.get("usageMetadata", {}).get("promptTokenCount")
    assert counted is None or reply.json()["usage"]["prompt_tokens"] == counted
