"""Completions, for targets that continue texts, and for those that hold conversations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.faults import DONE, completion, stream_events
from tests.gateway.official import openai_client
from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter, assert_error, assert_error_event
from tests.recorded import Interaction, interactions
from tests.support.script import answer, error_answer, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

PATH = "/v1/completions"
RECORDED = [
    each
    for each in interactions(endpoint="completions")
    if each.url_path.split("?")[0].endswith("/completions") and isinstance(each.request, dict)
]
GOOD = [each for each in RECORDED if each.status == 200]
TEXT = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "m-1",
    "choices": [{"text": " there", "index": 0, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
CONVERSATIONS = {
    "chat": ({"dialect": "openai", "speaks": ["chat"]}, "/v1"),
    "anthropic": ({"dialect": "anthropic"}, ""),
}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "a tale"}],
    "stop_reason": "max_tokens",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}


@pytest.mark.parametrize("recorded", GOOD, ids=repr)
async def test_every_recorded_answer_arrives_as_it_was_sent(start: Starter, recorded: Interaction) -> None:
    kind = "text/event-stream" if recorded.is_stream else "application/json"
    async with ScriptedUpstream(answer(recorded.body, headers={"content-type": kind})) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**recorded.request, "model": "alone", "stream": recorded.is_stream}, path=PATH)
        (request,) = upstream.requests
    assert (reply.status, reply.broken) == (200, False)
    assert reply.body == recorded.body
    assert request.path == PATH
    row = await gateway.record()
    assert (row["outcome"], row["streamed"]) == ("ok", recorded.is_stream)
    if not recorded.is_stream:
        usage = recorded.answer["usage"]
        assert (row["in_uncached"], row["out_visible"]) == (usage["prompt_tokens"], usage.get("completion_tokens", 0))


@pytest.mark.parametrize("recorded", [each for each in RECORDED if each.status in (400, 404)], ids=repr)
async def test_every_recorded_refusal_keeps_its_status(start: Starter, recorded: Interaction) -> None:
    async with ScriptedUpstream(json_answer(recorded.body, status=recorded.status)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({**recorded.request, "model": "alone"}, path=PATH)
    told = recorded.answer["error"]
    assert (reply.status, reply.json()["error"]["message"]) == (recorded.status, told["message"])


@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_has_a_text_continued(start: Starter, stream: bool) -> None:
    events = [sse({**TEXT, "choices": TEXT["choices"], "usage": None}), sse({**TEXT, "choices": []}), DONE]
    async with ScriptedUpstream(sse_answer(events) if stream else json_answer(TEXT)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with openai_client(gateway) as client:
            told: Any = await client.completions.create(model="alone", prompt="Hello", stream=stream)
            texts = [chunk.choices[0].text async for chunk in told] if stream else [told.choices[0].text]
        (request,) = upstream.requests
    assert texts == [" there"]
    asked = json.loads(request.body)
    assert asked.get("stream_options") == ({"include_usage": True} if stream else None)
    row = await gateway.record()
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (5, 2, 0)


async def test_a_stream_that_breaks_off_ends_with_an_error(start: Starter) -> None:
    part = {**TEXT, "choices": [{"text": " th", "index": 0, "finish_reason": None}], "usage": None}
    async with ScriptedUpstream(sse_answer([sse(part)])) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({"model": "alone", "prompt": "Hello", "stream": True}, path=PATH)
    assert_error_event(reply, "upstream_stream_interrupted")


async def test_what_comes_in_the_other_form_is_told_in_the_one_asked_for(start: Starter) -> None:
    parts = [
        {**TEXT, "choices": [{"text": text, "index": 0, "logprobs": {"tokens": [text]}, "finish_reason": end}]}
        for text, end in ((" th", None), ("ere", "stop"))
    ]
    async with ScriptedUpstream(json_answer(TEXT), sse_answer([*map(sse, parts), DONE])) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        streamed = await gateway.post(
            {"model": "alone", "prompt": "a", "stream": True, "stream_options": {"include_usage": True}}, path=PATH
        )
        whole = await gateway.post({"model": "alone", "prompt": "a"}, path=PATH)
    *chunks, usage, done = streamed.events
    assert [chunk["choices"] for chunk in chunks] == [TEXT["choices"]]
    assert (usage["choices"], usage["usage"], done) == ([], TEXT["usage"], b"[DONE]")
    assert whole.json()["choices"] == [
        {"text": " there", "index": 0, "logprobs": {"tokens": [" th", "ere"]}, "finish_reason": "stop"}
    ]


async def serving(start: Starter, upstream: ScriptedUpstream, kind: str) -> RunningGateway:
    provider, root = CONVERSATIONS[kind]
    main = {**provider, "base_url": upstream.url(root), "api_key": PROVIDER_KEY}
    return await start({"main": upstream.url(root)}, providers={"demo": {"dialect": "echo"}, "main": main})


async def test_a_chat_server_is_told_the_prompt_and_its_answer_is_the_text(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(completion("a tale"))) as upstream:
        gateway = await serving(start, upstream, "chat")
        async with openai_client(gateway) as client:
            told = await client.completions.create(model="alone", prompt="Tell me", stop="END", best_of=1, echo=False)
        (request,) = upstream.requests
    asked = json.loads(request.body)
    assert asked["messages"] == [{"role": "user", "content": "Tell me"}]
    assert (asked["max_completion_tokens"], asked["stop"]) == (16, ["END"])
    assert not asked.keys() & {"prompt", "best_of", "echo"}
    assert told.object == "text_completion"
    assert (told.choices[0].text, told.choices[0].finish_reason) == ("a tale", "stop")
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (7, 3)
    assert told.id == "cmpl-1"


@pytest.mark.parametrize("usage", [False, True])
async def test_a_chat_servers_stream_is_told_as_texts(start: Starter, usage: bool) -> None:
    async with ScriptedUpstream(sse_answer(stream_events("a tale"))) as upstream:
        gateway = await serving(start, upstream, "chat")
        body = {"model": "alone", "prompt": ["Tell me"], "stream": True, "max_tokens": 50}
        options = {"stream_options": {"include_usage": True}} if usage else {}
        reply = await gateway.post({**body, **options}, path=PATH)
    *chunks, done = reply.events
    assert done == b"[DONE]"
    if usage:
        last = chunks.pop()
        assert (last["choices"], last["usage"]["total_tokens"]) == ([], 10)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "a tale"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-2:] == [None, "stop"]


async def test_thinking_is_no_part_of_the_text(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(CLAUDE)) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        reply = await gateway.post({"model": "alone", "prompt": "Tell me"}, path=PATH)
        (request,) = upstream.requests
    assert json.loads(request.body)["max_tokens"] == 16
    assert reply.json()["choices"] == [{"text": "a tale", "index": 0, "logprobs": None, "finish_reason": "length"}]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({}, "prompt"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "logprobs": 0}, "logprobs"),
    ],
)
async def test_what_only_a_continued_text_can_have_is_refused_by_its_name(
    start: Starter, asked: dict[str, Any], param: str
) -> None:
    async with ScriptedUpstream() as upstream:
        gateway = await serving(start, upstream, "chat")
        reply = await gateway.post({"model": "alone", **asked}, path=PATH)
        assert not upstream.requests
    assert_error(reply, 400, "unsupported_parameter", param=param)


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"model": 1}, "model"), ({"prompt": {}}, "prompt"), ({"n": "two"}, "n"), ({"model": ""}, "model")],
)
async def test_a_wrong_field_is_named(start: Starter, asked: dict[str, Any], param: str) -> None:
    gateway = await start({"main": "http://127.0.0.1:9/v1"})
    reply = await gateway.post({"model": "alone", **asked}, path=PATH)
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_a_text_falls_back_from_a_completions_server_to_a_chat_server(start: Starter) -> None:
    async with ScriptedUpstream(error_answer(503)) as first, ScriptedUpstream(json_answer(completion("b"))) as second:
        providers = {
            "demo": {"dialect": "echo"},
            "main": {"dialect": "openai", "base_url": first.url("/v1"), "api_key": PROVIDER_KEY},
            "backup": {"dialect": "openai", "base_url": second.url("/v1"), "speaks": ["chat"]},
        }
        gateway = await start({"main": first.url("/v1"), "backup": second.url("/v1")}, providers=providers)
        reply = await gateway.post({"model": "fb", "prompt": "a"}, path=PATH)
    assert (reply.json()["choices"][0]["text"], reply.headers["x-gaia-provider"]) == ("b", "backup")


async def test_an_answer_without_texts_is_none(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(completion("a chat's"))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.post({"model": "alone", "prompt": "a"}, path=PATH)
    assert_error(reply, 502, "upstream_bad_response")


async def test_the_built_in_demo_continues_a_text_too(start: Starter) -> None:
    gateway = await start()
    reply = await gateway.post({"model": "demo", "prompt": "Hello", "max_tokens": 50}, path=PATH)
    assert reply.status == 200
    assert reply.json()["choices"][0]["text"]
    streamed = await gateway.post({"model": "demo", "prompt": "Hello", "stream": True}, path=PATH)
    assert streamed.events[-1] == b"[DONE]"
