"""Counting tokens through the whole gateway: natively where the target counts, else estimated and marked as such."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import types

from tests.gateway.running import BACKUP_KEY, PATIENT, PROVIDER_KEY, QUICK, RunningGateway, Starter
from tests.recorded import Interaction, interactions
from tests.support.script import Hang, Reset, Script, error_answer, json_answer
from tests.support.upstream import ScriptedUpstream

MESSAGES_PATH = "/v1/messages/count_tokens"
RESPONSES_PATH = "/v1/responses/input_tokens"
ANSWERS: dict[str, Any] = {
    "anthropic": {"input_tokens": 43},
    "openai": {"object": "response.input_tokens", "input_tokens": 43},
    "google": {"totalTokens": 43, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 43}]},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "weather", "description": "Of a city", "input_schema": SCHEMA}

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}


async def serving(
    start: Starter,
    upstream: ScriptedUpstream,
    kind: str,
    *,
    model: str = "m-1",
    backup: str = "",
    defaults: dict[str, Any] = PATIENT,
    **route: Any,
) -> RunningGateway:
    """backup: the address of another provider of the same kind."""
    base = upstream.url("/v1" if kind in ("openai", "groq") else "")
    providers = {"demo": {"dialect": "echo"}, "main": {"dialect": kind, "base_url": base, "api_key": PROVIDER_KEY}}
    if backup:
        providers["backup"] = {"dialect": kind, "base_url": backup, "api_key": BACKUP_KEY}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "alone", "targets": [{"provider": "main", "model": model}], **route},
    ]
    return await start({"main": base}, providers=providers, routes=routes, defaults=defaults)


def body(**members: Any) -> dict[str, Any]:
    return {"model": "alone", "messages": [{"role": "user", "content": "What is the capital of France?"}], **members}


@pytest.mark.parametrize(
    ("kind", "path", "sent"),
    [
        (
            "anthropic",
            "/v1/messages/count_tokens",
            {
                "model": "m-1",
                "system": "Be brief.",
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [TOOL],
            },
        ),
        (
            "openai",
            "/v1/responses/input_tokens",
            {
                "model": "m-1",
                "instructions": "Be brief.",
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
                "tools": [
                    {
                        "type": "function",
                        "name": "weather",
                        "description": "Of a city",
                        "parameters": SCHEMA,
                        "strict": False,
                    }
                ],
            },
        ),
        (
            "google",
            "/v1beta/models/m-1:countTokens",
            {
                "generateContentRequest": {
                    "model": "models/m-1",
                    "systemInstruction": {"parts": [{"text": "Be brief."}]},
                    "tools": [
                        {
                            "functionDeclarations": [
                                {
                                    "name": "weather",
                                    "description": "Of a city",
                                    "parametersJsonSchema": SCHEMA,
                                }
                            ]
                        }
                    ],
                    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
                    "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                }
            },
        ),
    ],
)
async def test_t77_anthropics_client_gets_the_count_of_every_provider_that_counts(
    start: Starter, kind: str, path: str, sent: Any
) -> None:
    async with ScriptedUpstream(json_answer(ANSWERS[kind])) as upstream:
        gateway = await serving(start, upstream, kind)
        client = anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key=gateway.key, max_retries=0)
        async with client:
            raw = await client.messages.with_raw_response.count_tokens(
                model="alone",
                system="Be brief.",
                messages=[{"role": "user", "content": "Hi"}],
                tools=[TOOL],  # type: ignore[list-item]  # a literal's members are wider than the client's type
            )
        count = await raw.parse()
        (request,) = upstream.requests
    assert count.input_tokens == 43
    assert request.path == path
    assert json.loads(request.body) == sent
    assert raw.headers["x-gaia-provider"] == "main"
    assert "x-gaia-estimated" not in raw.headers


async def test_openais_client_gets_a_count_from_anthropic(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWERS["anthropic"])) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        client = openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0)
        async with client:
            count = await client.responses.input_tokens.count(model="alone", input="Hi", instructions="Be brief.")
        (request,) = upstream.requests
    assert (count.object, count.input_tokens) == ("response.input_tokens", 43)
    assert json.loads(request.body) == {
        "model": "m-1",
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


async def test_the_callers_own_bytes_go_to_a_target_of_its_dialect(start: Starter) -> None:
    sent = b'{ "messages":[{"role":"user","content":"\\u0048i"}], "unknown":1.50, "model" : "alone" }'
    async with ScriptedUpstream(json_answer(ANSWERS["anthropic"])) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        reply = await gateway.post(sent, path=MESSAGES_PATH + "?beta=true", headers={"anthropic-beta": "a-1,b-2"})
        (request,) = upstream.requests
    assert reply.status == 200
    assert request.body == sent.replace(b'"alone"', b'"m-1"')
    assert request.headers["anthropic-beta"] == "a-1,b-2"
    assert reply.json() == {"input_tokens": 43}


async def test_a_routes_edits_count_only_where_tokens_depend_on_them(start: Starter) -> None:
    edits = {"set": {"temperature": 0.5, "max_tokens": 7}, "default": {"tools": [TOOL]}, "system": "Be brief."}
    async with ScriptedUpstream(json_answer(ANSWERS["anthropic"])) as upstream:
        gateway = await serving(start, upstream, "anthropic", transform=edits)
        reply = await gateway.post(body(unknown=1), path=MESSAGES_PATH)
        (request,) = upstream.requests
    assert reply.status == 200
    assert json.loads(request.body) == body(model="m-1", unknown=1, tools=[TOOL], system="Be brief.")


async def test_a_count_is_recorded_and_not_billed(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWERS["anthropic"])) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        await gateway.post(body(), path=MESSAGES_PATH)
        row = await gateway.record()
    assert (row["status"], row["provider"], row["model_served"]) == (200, "main", "m-1")
    assert (row["in_uncached"], row["out_visible"], row["estimated"]) == (0, 0, 0)


@pytest.mark.parametrize(("kind", "model"), [("groq", "alone"), ("echo", "demo")])
@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        (MESSAGES_PATH, {"messages": [{"role": "user", "content": "x" * 400}]}, {}),
        (RESPONSES_PATH, {"input": "x" * 400}, {"object": "response.input_tokens"}),
    ],
)
async def test_t77_who_does_not_count_is_not_asked_and_an_estimate_is_marked(
    start: Starter, kind: str, model: str, path: str, asked: Any, told: Any
) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        gateway = await serving(start, upstream, "groq")
        reply = await gateway.post({"model": model, **asked}, path=path)
        assert upstream.requests == []
    assert reply.status == 200, reply.body
    assert reply.headers["x-gaia-estimated"] == "tokens"
    count = reply.json().pop("input_tokens")
    assert 100 <= count <= 120  # four characters a token, and what a message costs beside its text
    assert reply.json() == {"input_tokens": count, **told}
    row = await gateway.record()
    assert (row["status"], row["outcome"], row["in_uncached"]) == (200, "ok", 0)


async def test_a_server_that_counts_may_be_told_not_to(start: Starter) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        provider = {
            "dialect": "anthropic",
            "base_url": upstream.url(""),
            "api_key": PROVIDER_KEY,
            "speaks": ["messages"],
        }
        gateway = await start(
            {"main": upstream.url("")},
            providers={"demo": {"dialect": "echo"}, "main": provider},
        )
        reply = await gateway.post(body(), path=MESSAGES_PATH)
        assert upstream.requests == []
    assert (reply.status, reply.headers["x-gaia-estimated"]) == (200, "tokens")


async def test_an_error_of_the_provider_comes_in_the_callers_dialect(start: Starter) -> None:
    refusal = {"error": {"message": "No such input", "type": "invalid_request_error", "param": "input", "code": None}}
    async with ScriptedUpstream(json_answer(refusal, status=400)) as upstream:
        gateway = await serving(start, upstream, "openai")
        reply = await gateway.post(body(), path=MESSAGES_PATH)
        own = await gateway.post({"model": "alone", "input": "Hi"}, path=RESPONSES_PATH)
    assert (reply.status, reply.json()["type"], reply.json()["error"]["type"]) == (
        400,
        "error",
        "invalid_request_error",
    )
    assert own.json() == refusal


@pytest.mark.parametrize(
    "failure",
    [
        json_answer({}),
        json_answer({"input_tokens": "12"}),
        json_answer({"input_tokens": -1}),
        json_answer([]),
        error_answer(503),
        error_answer(401),
        (Reset(),),
        (Hang(),),
    ],
)
async def test_where_the_first_target_fails_to_count_an_estimate_is_told_and_no_other_targets_number(
    start: Starter, failure: Script
) -> None:
    async with ScriptedUpstream(failure) as upstream, ScriptedUpstream(json_answer({"input_tokens": 7})) as other:
        fallbacks = [{"provider": "backup", "model": "m-2"}]
        limits = {"defaults": QUICK} if failure == (Hang(),) else {}
        gateway = await serving(start, upstream, "anthropic", fallbacks=fallbacks, backup=other.url(""), **limits)
        reply = await gateway.post({"model": "alone", "input": "x" * 400}, path=RESPONSES_PATH)
        assert (len(upstream.requests), other.requests) == (1, [])
    assert (reply.status, reply.headers["x-gaia-estimated"]) == (200, "tokens")
    assert 100 <= reply.json()["input_tokens"] <= 120
    assert "x-gaia-provider" not in reply.headers
    row = await gateway.record()
    assert (row["status"], row["in_uncached"], row["attempts"]) == (200, 0, 1)


async def test_a_rate_limit_on_counting_stops_no_answers(start: Starter) -> None:
    limited = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    answers = [json_answer(limited, status=429, headers={"retry-after": "60"}), json_answer(MESSAGE)]
    async with ScriptedUpstream(*answers) as upstream, ScriptedUpstream(json_answer(MESSAGE)) as other:
        gateway = await serving(
            start, upstream, "anthropic", fallbacks=[{"provider": "backup", "model": "m-2"}], backup=other.url("")
        )
        counted = await gateway.post(body(), path=MESSAGES_PATH)
        answered = await gateway.post(body(max_tokens=10), path="/v1/messages")
    assert (counted.status, counted.headers["x-gaia-estimated"]) == (200, "tokens")
    assert (answered.status, answered.headers["x-gaia-provider"]) == (200, "main")


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        (MESSAGES_PATH, b"[]", None),
        (MESSAGES_PATH, b'{"messages":[]}', "model"),
        (MESSAGES_PATH, b'{"model":"alone","messages":[]}', "messages"),
        (RESPONSES_PATH, b'{"model":"alone"}', "input"),
        (RESPONSES_PATH, b'{"model":"alone","model":"alone","input":"x"}', None),
        (RESPONSES_PATH, b"{", None),
    ],
)
async def test_what_is_no_request_is_refused_by_its_field(
    start: Starter, path: str, asked: bytes, param: str | None
) -> None:
    async with ScriptedUpstream(json_answer({})) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        reply = await gateway.post(asked, path=path)
        assert upstream.requests == []
    assert reply.status == 400
    assert param is None or f"`{param}`" in reply.error["message"]


NATIVE = [
    each
    for each in (*interactions("anthropic", "count_tokens", ok=True), *interactions("openai", "count_tokens", ok=True))
    if "model" in each.request
]


@pytest.mark.parametrize("recorded", NATIVE, ids=repr)
async def test_every_recorded_count_arrives_as_it_was_told(start: Starter, recorded: Interaction) -> None:
    kind = "anthropic" if "messages" in recorded.request else "openai"
    path = MESSAGES_PATH if kind == "anthropic" else RESPONSES_PATH
    async with ScriptedUpstream(json_answer(recorded.answer)) as upstream:
        gateway = await serving(start, upstream, kind, model=recorded.request["model"])
        reply = await gateway.post(recorded.request | {"model": "alone"}, path=path)
        assert json.loads(upstream.requests[0].body) == recorded.request
    assert (reply.status, reply.json()) == (200, recorded.answer)


GOOGLES: list[Any] = [
    {"contents": [{"parts": [{"text": "Hi"}]}]},
    {"generateContentRequest": {"model": "models/alone", "contents": [{"parts": [{"text": "Hi"}]}]}},
    {"generate_content_request": {"model": "models/alone", "contents": [{"parts": [{"text": "Hi"}]}]}},
]


@pytest.mark.parametrize("sent", GOOGLES)
@pytest.mark.parametrize("kind", ["anthropic", "openai", "google", "groq"])
async def test_t77_googles_clients_get_the_count_in_their_own_shape(start: Starter, kind: str, sent: Any) -> None:
    async with ScriptedUpstream(json_answer(ANSWERS.get(kind, {}))) as upstream:
        gateway = await serving(start, upstream, kind)
        reply = await gateway.post(sent, path="/v1beta/models/alone:countTokens")
        asked = upstream.requests
    assert reply.status == 200, reply.body
    if kind == "groq":
        assert reply.headers["x-gaia-estimated"] == "tokens"
        assert reply.json()["totalTokens"] > 0
        assert asked == []
    else:
        assert "x-gaia-estimated" not in reply.headers
        assert reply.json()["totalTokens"] == 43
    if kind == "google":
        named = next((name for name in sent if name != "contents"), None)
        expected = sent if named is None else {named: sent[named] | {"model": "models/m-1"}}
        assert (asked[0].path, asked[0].json()) == ("/v1beta/models/m-1:countTokens", expected)
    if kind == "anthropic":
        assert asked[0].json()["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]


async def test_googles_own_client_counts(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWERS["anthropic"])) as upstream:
        gateway = await serving(start, upstream, "anthropic")
        async with httpx2.AsyncClient() as http:
            options = types.HttpOptions(base_url=gateway.url(""), httpx_async_client=http)
            client = genai.Client(api_key=gateway.key, http_options=options)
            counted = await client.aio.models.count_tokens(model="alone", contents="Hi")
    assert counted.total_tokens == 43
