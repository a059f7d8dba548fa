"""Embeddings through the whole gateway: the vectors are the provider's, in the encoding that the caller asked for."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import openai
import pytest

from tests.gateway.running import Starter, assert_error
from tests.recorded import Interaction, interactions
from tests.support.script import json_answer
from tests.support.upstream import ScriptedUpstream

VECTORS = [[0.5, -0.25, 0.125], [1.0, 2.0, 3.0]]
RECORDED = [
    each
    for provider in ("openai", "mistral", "openai_compatible", "ollama", "azure")
    for each in interactions(provider, "embeddings")
    if each.status == 200 and "/embeddings" in each.url_path
]


def packed(numbers: list[float], width: str = "f") -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}{width}", *numbers)).decode()


def answered(vectors: list[Any], indices: list[int] | None = None) -> dict[str, Any]:
    places = indices or list(range(len(vectors)))
    data = [{"object": "embedding", "index": place, "embedding": vectors[place]} for place in places]
    return {"object": "list", "data": data, "model": "e-1", "usage": {"prompt_tokens": 7, "total_tokens": 7}}


@pytest.mark.parametrize("sent", ["float", "base64", "float64"])
@pytest.mark.parametrize("asked", [openai.NOT_GIVEN, "float", "base64"])
async def test_t79_official_clients_get_the_right_vectors_whatever_the_provider_sends(
    start: Starter, sent: str, asked: Any
) -> None:
    spelt = {"float": VECTORS, "base64": [packed(v) for v in VECTORS], "float64": [packed(v, "d") for v in VECTORS]}
    async with ScriptedUpstream(json_answer(answered(list(spelt[sent])))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        client = openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0)
        async with client:
            answer = await client.embeddings.create(
                model="alone", input=["a", "b"], encoding_format=asked, dimensions=3
            )
    found = [item.embedding for item in answer.data]
    if asked == "base64":
        assert found == [packed(v) for v in VECTORS]  # what the caller asked for is not decoded for it
    else:
        assert found == VECTORS
    assert answer.usage.prompt_tokens == 7


async def test_t80_vectors_come_in_the_order_of_the_inputs(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(answered(list(VECTORS), indices=[1, 0]))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({"model": "alone", "input": ["a", "b"]}, path="/v1/embeddings")
    assert [item["index"] for item in reply.json()["data"]] == [0, 1]
    assert [item["embedding"] for item in reply.json()["data"]] == VECTORS


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 7, "embedding": [1.0]}],
        [{"index": 0, "embedding": None}, {"index": 1, "embedding": [1.0]}],
        [],
    ],
)
async def test_an_answer_that_lacks_a_vector_is_none(start: Starter, data: Any) -> None:
    async with ScriptedUpstream(json_answer({"object": "list", "data": data})) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({"model": "alone", "input": ["a", "b"]}, path="/v1/embeddings")
    assert_error(reply, 502, "upstream_bad_response")


async def test_a_target_without_embeddings_gives_way_to_one_that_has_them(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(answered([VECTORS[0]]))) as upstream:
        gateway = await start(
            {"backup": upstream.url("/v1")},
            providers={
                "demo": {"dialect": "echo"},
                "main": {
                    "dialect": "anthropic",
                    "base_url": upstream.url(""),
                    "api_key": "sk-main-Q2zW9xE7rT5yU3iO1pA8",
                },
                "backup": {
                    "dialect": "openai",
                    "base_url": upstream.url("/v1"),
                    "api_key": "sk-back-L4kJ6hG8fD0sA2qW3eR5",
                },
            },
            routes=[
                {"match": "demo", "targets": [{"provider": "demo", "model": "m"}]},
                {
                    "match": "fb",
                    "targets": [{"provider": "main", "model": "m"}],
                    "fallbacks": [{"provider": "backup", "model": "e"}],
                },
                {"match": "alone", "targets": [{"provider": "main", "model": "m"}]},
            ],
        )
        served = await gateway.post({"model": "fb", "input": "a"}, path="/v1/embeddings")
        assert (served.status, served.headers["x-gaia-provider"]) == (200, "backup")
        refused = await gateway.post({"model": "alone", "input": "a"}, path="/v1/embeddings")
        assert_error(refused, 400, "unsupported_operation")
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("recorded", RECORDED, ids=repr)
async def test_every_recorded_answer_arrives_as_it_was_sent(start: Starter, recorded: Interaction) -> None:
    async with ScriptedUpstream(json_answer(recorded.answer)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**recorded.request, "model": "alone"}, path="/v1/embeddings")
    assert reply.status == 200, reply.body
    assert json.loads(reply.body) == recorded.answer
    usage = recorded.answer.get("usage") or {}
    row = await gateway.record()
    assert row["in_uncached"] == (usage.get("prompt_tokens") or usage.get("total_tokens") or row["in_uncached"])
