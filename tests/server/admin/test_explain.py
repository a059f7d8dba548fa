"""POST /v1/routes/explain: each candidate with all that speaks against it, and nothing that is secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.running import PROMPT, PROVIDER_KEY, assert_error, chat_body
from tests.server.admin.conftest import Admit, Operator
from tests.support.script import error_answer
from tests.support.upstream import ScriptedUpstream

PROVIDERS: dict[str, Any] = {
    "demo": {"dialect": "echo"},
    "main": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": PROVIDER_KEY},
    "claude": {"dialect": "anthropic", "base_url": "http://127.0.0.1:9", "api_key": PROVIDER_KEY},
    "dark": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": ""},
}
ROUTES: list[dict[str, Any]] = [
    {"match": "demo", "targets": [{"provider": "demo"}]},
    {
        "match": "gpt-*",
        "targets": [{"provider": "main"}, {"provider": "dark"}],
        "fallbacks": [{"provider": "claude", "model": "claude-sonnet-4-5"}],
    },
]


async def told(operator: Operator, **body: Any) -> Any:
    reply = await operator.ask("POST", "/v1/routes/explain", body)
    assert reply.status == 200, reply.body
    assert PROMPT.encode() not in reply.body
    assert PROVIDER_KEY.encode() not in reply.body
    assert b"127.0.0.1" not in reply.body
    return reply.json()


def left_out(it: Any) -> dict[str, list[str]]:
    targets = [target for group in it["groups"] for target in group["targets"]]
    assert all(target["kept"] is not bool(target["reasons"]) for target in targets)
    return {target["provider"]: [reason["why"] for reason in target["reasons"]] for target in targets}


async def test_a_model_is_told_its_route_and_every_candidate(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    it = await told(operator, model="gpt-5")
    assert (it["model"], it["place"]["route"], it["glob"]) == ("gpt-5", "gpt-*", "gpt-*")
    assert left_out(it) == {"main": [], "dark": ["off"], "claude": []}
    assert it["groups"][0]["targets"][0]["share_percent"] == 100
    assert "file" not in it
    missing = await told(operator, model="dmeo")
    assert (missing["place"], missing["near"], missing["groups"]) == (None, ["demo"], [])
    assert missing["in_the_end"].startswith("404 model_not_found")


async def test_a_key_is_told_what_it_may_not_use(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    key = await operator.api_key(models=["gpt-*"])
    assert left_out(await told(operator, model="gpt-5", key=key["id"])) == {
        "main": [],
        "dark": ["off"],
        "claude": ["access"],
    }
    refused = await told(operator, model="demo", key=key["id"])
    assert refused["in_the_end"].startswith("403 model_not_allowed")
    assert left_out(refused) == {"demo": ["access"]}


async def test_another_tenants_key_does_not_exist(admit: Admit) -> None:
    operator = await admit()
    mine, theirs = await operator.organization("mine"), await operator.organization("theirs")
    reader = (await operator.api_key("read", organization=mine))["key"]
    foreign = (await operator.api_key(organization=theirs))["id"]
    for key in (foreign, "key_none"):
        reply = await operator.ask("POST", "/v1/routes/explain", {"model": "demo", "key": key}, key=reader)
        assert_error(reply, 404, "not_found")


async def test_an_open_breaker_is_told_with_the_time_until_it_is_asked_again(admit: Admit) -> None:
    async with ScriptedUpstream(error_answer(500)) as upstream:
        defaults = {"retry": {"attempts": 1}, "breaker": {"failures": 2, "cooldown": "60s"}}
        providers = {**PROVIDERS, "main": {**PROVIDERS["main"], "base_url": upstream.url("/v1")}}
        operator = await admit(providers=providers, routes=ROUTES, defaults=defaults)
        for _ in range(2):
            await operator.gateway.chat("gpt-5")
        it = await told(operator, model="gpt-5")
    assert left_out(it) == {"main": ["breaker"], "dark": ["off"], "claude": []}
    detail = it["groups"][0]["targets"][0]["reasons"][0]["detail"]
    assert detail.startswith("its circuit is open; asked again in ")


async def test_a_whole_request_is_told_who_cannot_take_it(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    it = await told(operator, request=chat_body("gpt-5", frequency_penalty=1))
    assert left_out(it) == {"main": [], "dark": ["off"], "claude": []}
    assert it["groups"][1]["targets"][0]["dropped"] == ["frequency_penalty"]
    vectors = await told(operator, request={"model": "gpt-5", "input": PROMPT}, dialect="embeddings")
    assert left_out(vectors) == {"main": [], "dark": ["off"], "claude": ["capability"]}


async def test_what_only_one_issuer_knows_leaves_the_others_out(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    request = {"model": "gpt-5", "input": PROMPT, "previous_response_id": "resp_1"}
    it = await told(operator, request=request, dialect="responses")
    assert left_out(it) == {"main": [], "dark": ["off"], "claude": ["issuer"]}
    assert it["bound"] == ["`previous_response_id`: only who keeps it is asked"]


async def test_models_that_are_to_be_asked_after_it_are_candidates_too(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    it = await told(operator, request=chat_body("demo", models=["demo", "gpt-5"]))
    assert it["place"]["route"] == "demo"
    assert [group["place"]["route"] for group in it["groups"]] == ["demo", "gpt-*", "gpt-*"]
    assert left_out(it) == {"demo": [], "main": [], "dark": ["off"], "claude": []}
    unknown = await told(operator, request=chat_body("demo", models=["nobody-1"]))
    assert left_out(unknown) == {"demo": ["access"]}
    assert unknown["in_the_end"].startswith("404 model_not_found: The model 'nobody-1' ")
    malformed = await told(operator, request=chat_body("demo", models="gpt-5"))
    assert malformed["in_the_end"].startswith("400 ")


async def test_a_key_is_told_which_of_the_models_asked_after_it_it_may_not_use(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    key = await operator.api_key(models=["demo"])
    it = await told(operator, request=chat_body("demo", models=["gpt-5"]), key=key["id"])
    assert it["in_the_end"].startswith("403 model_not_allowed")
    assert left_out(it) == {"demo": ["access"], "main": ["access"], "dark": ["off"], "claude": ["access"]}


@pytest.mark.parametrize(
    ("wishes", "reasons"),
    [
        ({"only": ["claude"]}, {"main": ["choice"], "dark": ["off"], "claude": []}),
        ({"ignore": ["Main"]}, {"main": ["choice"], "dark": ["off"], "claude": []}),
        ({"order": ["claude"]}, {"main": [], "dark": ["off"], "claude": []}),
        ({"order": ["claude"], "allow_fallbacks": False}, {"main": ["choice"], "dark": ["off"], "claude": []}),
        ({"allow_fallbacks": False}, {"main": [], "dark": ["off"], "claude": ["choice"]}),
    ],
)
async def test_what_the_caller_does_not_want_is_told(admit: Admit, wishes: Any, reasons: Any) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    assert left_out(await told(operator, request=chat_body("gpt-5", provider=wishes))) == reasons


async def test_a_wish_that_leaves_nobody_is_told(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    it = await told(operator, request=chat_body("gpt-5", provider={"only": ["demo"]}))
    assert left_out(it) == {"main": ["choice"], "dark": ["off"], "claude": ["choice"]}
    assert it["in_the_end"].startswith("400 no_matching_provider")


async def test_a_request_that_names_no_model_takes_the_one_asked_about(admit: Admit) -> None:
    operator = await admit(providers=PROVIDERS, routes=ROUTES)
    body = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
    assert (await told(operator, model="gpt-5", request=body, dialect="gemini"))["place"]["route"] == "gpt-*"
    chat = {"messages": [{"role": "user", "content": PROMPT}]}
    assert (await told(operator, model="demo", request=chat))["place"]["route"] == "demo"


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"model": "demo", "messages": [{"role": "user", "content": PROMPT}]}
    for _ in range(levels):
        found = {"metadata": found}
    return found


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_field", "model"),
        ({"request": {"model": "demo"}}, "missing_field", "messages"),
        ({"model": "demo", "dialect": "latin"}, "invalid_request", "dialect"),
        ({"request": deep(300)}, "invalid_json", "request"),
    ],
)
async def test_a_question_that_is_none_is_refused(admit: Admit, body: Any, code: str, param: str) -> None:
    reply = await (await admit()).ask("POST", "/v1/routes/explain", body)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, code, param)


async def test_nothing_is_asked_or_loaded_for_an_explanation(admit: Admit) -> None:
    async with ScriptedUpstream(error_answer(500)) as upstream:
        providers = {
            **PROVIDERS,
            "main": {**PROVIDERS["main"], "base_url": upstream.url("/v1")},
            "claude": {**PROVIDERS["claude"], "base_url": upstream.url(), "fetch_media": True},
        }
        operator = await admit(providers=providers, routes=ROUTES)
        picture = {"type": "image_url", "image_url": {"url": upstream.url("/picture.png")}}
        request = {"model": "gpt-5", "messages": [{"role": "user", "content": [picture]}]}
        assert left_out(await told(operator, request=request)) == {"main": [], "dark": ["off"], "claude": []}
        assert upstream.connections == []
