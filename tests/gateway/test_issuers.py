"""What only its issuer can read or keeps goes to nobody else; what the gateway sealed, back to whoever thought it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.parts import Sealed
from gaiarouter.dialects.gemini import foreign as gemini
from gaiarouter.dialects.messages import foreign as messages
from gaiarouter.dialects.responses import sealing as responses
from tests.gateway.running import RunningGateway, Starter, assert_error
from tests.support.script import json_answer
from tests.support.upstream import ScriptedUpstream

ANSWERS: dict[str, Any] = {
    "openai": {
        "id": "resp_2",
        "object": "response",
        "status": "completed",
        "model": "gpt-x",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}],
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "google": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    },
}
MODELS = {"openai": "gpt-5", "anthropic": "claude-haiku-4-5", "google": "gemini-3-pro-preview"}


async def serving(start: Starter, upstream: ScriptedUpstream, *route: str, **more: Any) -> RunningGateway:
    """All of the route's targets share it by weight, the first a thousand times as often as the others."""
    providers = {
        name: {"dialect": name, "base_url": upstream.url(f"/{name}"), "api_key": "sk-1"} for name in ANSWERS
    } | {"second": {"dialect": "openai", "base_url": upstream.url("/second"), "api_key": "sk-1"}}
    targets = [
        {"provider": name, "model": MODELS.get(name, "gpt-5"), "weight": 1 if place else 1000}
        for place, name in enumerate(route)
    ]
    routes = [{"match": "demo", "targets": [{"provider": "demo"}]}, {"match": "m", "targets": targets, **more}]
    return await start(providers={"demo": {"dialect": "echo"}, **providers}, routes=routes)


def by_path() -> ScriptedUpstream:
    return ScriptedUpstream(lambda request: json_answer(ANSWERS[request.path.split("/")[1]]))


async def test_an_earlier_answer_is_continued_where_it_is_kept_however_the_route_is_weighted(start: Starter) -> None:
    async with by_path() as upstream:
        gateway = await serving(start, upstream, "anthropic", "openai")
        first = await gateway.post({"model": "m", "input": "hi", "store": True}, path="/v1/responses")
        body = {"model": "m", "input": "hi", "previous_response_id": first.json()["id"]}
        reply = await gateway.post(body, path="/v1/responses")
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "openai")
        assert [request.path for request in upstream.requests] == ["/openai/responses", "/openai/responses"]
        assert upstream.requests[1].json()["previous_response_id"] == "resp_2"


async def test_t61_sealed_thinking_goes_to_the_account_that_sealed_it_and_to_no_other(start: Starter) -> None:
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAA"}
    items = [{"role": "user", "content": "hi"}, sealed, {"role": "assistant", "content": "ho"}]
    body = {"model": "m", "input": [*items, {"role": "user", "content": "hi"}]}
    async with by_path() as upstream:
        gateway = await serving(start, upstream, "google", "openai")
        assert (await gateway.post(body, path="/v1/responses")).headers["x-gaia-provider"] == "openai"
        assert upstream.requests[0].json()["input"] == body["input"]
        gateway = await serving(start, upstream, "second", "openai")
        refused = await gateway.post(body, path="/v1/responses")
        assert_error(refused, 400, "unsupported_parameter", param="input[1].encrypted_content")
        assert len(upstream.requests) == 1


async def test_a_handle_that_two_may_have_issued_is_refused_by_its_name(start: Starter) -> None:
    async with by_path() as upstream:
        gateway = await serving(start, upstream, "openai", "second")
        body = {"model": "m", "input": "hi", "conversation": "conv_1"}
        refused = await gateway.post(body, path="/v1/responses")
        assert_error(refused, 400, "unsupported_parameter", param="conversation")
        assert upstream.requests == []


async def test_a_route_that_takes_the_field_out_is_not_bound_by_it(start: Starter) -> None:
    async with by_path() as upstream:
        gateway = await serving(start, upstream, "anthropic", "google", transform={"drop": ["store"]})
        reply = await gateway.post({"model": "m", "input": "hi", "store": True}, path="/v1/responses")
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "anthropic")


async def test_a_signature_is_first_shown_to_who_can_read_it(start: Starter) -> None:
    async with by_path() as upstream:
        gateway = await serving(start, upstream, "google", "anthropic")
        thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
        turns = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [thinking, {"type": "text", "text": "ho"}]},
            {"role": "user", "content": "hi"},
        ]
        body = {"model": "m", "max_tokens": 10, "messages": turns}
        reply = await gateway.post(body, path="/v1/messages")
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "anthropic")
        assert upstream.requests[0].json()["messages"] == turns


SEAL = Sealed("encrypted", "google-gemini-v1", "Z2Vt")
SEALED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        messages.wrap(messages.Wrapped(format="google-gemini-v1", sealed=(SEAL,))),
        {
            "model": "m",
            "max_tokens": 10,
            "messages": [
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "SEAL"},
                        {"type": "text", "text": "ho"},
                    ],
                },
                {"role": "user", "content": "hi"},
            ],
        },
    ),
    "openai": (
        "/v1/responses",
        responses.wrap(responses.Wrapped("google-gemini-v1", (SEAL,))),
        {
            "model": "m",
            "input": [
                {"role": "user", "content": "hi"},
                {"type": "reasoning", "summary": [], "encrypted_content": "SEAL"},
                {"role": "assistant", "content": "ho"},
                {"role": "user", "content": "hi"},
            ],
        },
    ),
    "google": (
        "/v1beta/models/m:generateContent",
        gemini.wrap([], Sealed("signature", "anthropic-claude-v1", "c2ln")),
        {
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"text": "ho", "thoughtSignature": "SEAL"}]},
                {"role": "user", "parts": [{"text": "hi"}]},
            ]
        },
    ),
}


@pytest.mark.parametrize(("provider", "case"), SEALED.items(), ids=SEALED)
async def test_t95_what_the_gateway_sealed_is_not_sent_to_who_cannot_check_it(
    start: Starter, provider: str, case: tuple[str, str, dict[str, Any]]
) -> None:
    """The conversation was with another provider before; its vendor would refuse a signature that is not its own."""
    path, seal, body = case
    async with by_path() as upstream:
        gateway = await serving(start, upstream, provider)
        reply = await gateway.post(json.dumps(body).replace("SEAL", seal).encode(), path=path)
        assert reply.status == 200, reply.body
        sent = upstream.requests[0].body
        assert seal.encode() not in sent
        assert b"ho" in sent
