"""Which route, may this key use it, and what the route edits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from gaiarouter.app import load
from gaiarouter.errors import Forbidden, InvalidRequest, NotFound
from gaiarouter.pipeline import Transform
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.prices import Prices, PriceTable
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.grants import Grants
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.kept import Keepers
from gaiarouter.routing.preferences import Preferring
from gaiarouter.routing.table import Table
from gaiarouter.store.base import ApiKey
from gaiarouter.store.records import Organization
from tests.pipeline.scripted import BODY, Clock, exchange

PROVIDERS = {name: {"dialect": "openai", "base_url": f"http://{name}/v1"} for name in ("main", "backup")}
ROUTES: list[dict[str, Any]] = [
    {
        "match": "gpt-*",
        "targets": [{"provider": "main"}],
        "fallbacks": [{"provider": "backup", "model": "claude-x"}, {"model": "fast"}],
    },
    {"match": "fast", "targets": [{"provider": "backup", "model": "small"}]},
    {"match": "claude-*", "targets": [{"provider": "backup"}]},
]


def stage(routes: list[dict[str, Any]] = ROUTES) -> Transform:
    settings = load({"providers": PROVIDERS, "routes": routes})
    prices = Prices(PriceTable.load(), settings.providers)
    preferring = Preferring(settings.providers, (), prices, health=Health(), rng=Random(1))
    issuers = Issuers(dict.fromkeys(PROVIDERS, ("chat",)))
    keepers = Keepers(settings.providers, issuers, None)
    return Transform(Table(settings), Grants().allows, issuers, {}, preferring, keepers)


def asked(model: str, globs: tuple[str, ...] | None = None, **members: Any) -> Exchange:
    made = exchange(Clock())
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **members}).encode()
    made.request = made.dialect.read_request(body)
    made.key = ApiKey(id="key_1", name="Ada", secret_hash=b"", created_us=0, models=globs)
    return made


@pytest.mark.parametrize(
    ("model", "own", "tenants", "targets"),
    [
        ("gpt-4o", None, ("gpt-*",), ["main/gpt-4o"]),
        ("gpt-4o", ("*",), ("gpt-*", "claude-*"), ["main/gpt-4o", "backup/claude-x"]),
        ("gpt-4o", ("gpt-*", "claude-*"), ("gpt-*", "backup/*"), ["main/gpt-4o", "backup/claude-x"]),
        ("gpt-4o", ("gpt-*", "claude-*"), ("gpt-*", "fast"), ["main/gpt-4o"]),
        ("gpt-4o", ("gpt-*",), ("claude-*",), None),
        ("gpt-4o", None, (), None),
    ],
)
async def test_s8_what_the_organization_may_use_bounds_its_keys_on_fallbacks_too(
    model: str, own: tuple[str, ...] | None, tenants: tuple[str, ...], targets: list[str] | None
) -> None:
    made = asked(model, own)
    assert made.key is not None
    made.key = replace(made.key, tenant=Organization("org_1", "Acme", 0, 0, models=tenants))
    if targets is None:
        with pytest.raises(Forbidden):
            await stage().request(made)
        return
    await stage().request(made)
    assert made.match is not None
    assert [target.id for group in made.match.groups for target in group.targets] == targets


@pytest.mark.parametrize(
    ("model", "globs", "targets"),
    [
        ("gpt-4o", None, ["main/gpt-4o", "backup/claude-x", "backup/small"]),
        ("gpt-4o", ("*",), ["main/gpt-4o", "backup/claude-x", "backup/small"]),
        ("gpt-4o", ("gpt-*",), ["main/gpt-4o"]),
        ("gpt-4o", ("gpt-*", "claude-*"), ["main/gpt-4o", "backup/claude-x"]),
        ("gpt-4o", ("gpt-*", "backup/claude-x"), ["main/gpt-4o", "backup/claude-x"]),
        ("gpt-4o", ("gpt-*", "fast"), ["main/gpt-4o", "backup/small"]),
        ("fast", ("fast",), ["backup/small"]),
    ],
)
async def test_s8_a_fallback_is_no_way_around_what_a_key_may_use(
    model: str, globs: tuple[str, ...] | None, targets: list[str]
) -> None:
    """A name that is granted grants its route's own targets, whatever they are called at the provider."""
    made = asked(model, globs)
    await stage().request(made)
    assert made.match is not None
    assert [target.id for group in made.match.groups for target in group.targets] == targets


@pytest.mark.parametrize(
    ("model", "globs"),
    [
        ("gpt-4o", ("claude-*",)),
        ("gpt-4o", ()),
        ("no-such-model", ("gpt-*",)),
        ("small", ("fast",)),
        ("GPT-4o", ("gpt-*",)),
    ],
)
async def test_what_a_key_may_not_use_is_refused_the_same_whether_it_exists_or_not(
    model: str, globs: tuple[str, ...]
) -> None:
    made = asked(model, globs)
    with pytest.raises(Forbidden) as caught:
        await stage().request(made)
    assert caught.value.param == "model"
    assert caught.value.message.startswith(f"This key may not use the model {model!r}.")
    assert made.match is None


@pytest.mark.parametrize(
    ("globs", "offered"), [(None, True), (("f*",), True), (("fast",), True), (("gpt-*",), False), ((), False)]
)
async def test_a_near_name_is_offered_only_if_the_key_may_use_it(globs: tuple[str, ...] | None, offered: bool) -> None:
    with pytest.raises((Forbidden, NotFound)) as caught:
        await stage().request(asked("fats", globs))
    assert ("fast" in caught.value.message) is offered


async def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        await stage().request(asked("zzzzzzzzzzzz"))
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("model", ["x" * 5000, "a\nb\x00", "'\"", "é" * 200])
async def test_a_name_is_quoted_in_part_and_escaped(model: str) -> None:
    with pytest.raises(NotFound) as caught:
        await stage().request(asked(model))
    assert len(caught.value.message) < 400
    assert "\n" not in caught.value.message
    assert model[:65] not in caught.value.message or len(model) <= 64


def edited(transform: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"match": "*", "targets": [{"provider": "main"}], "transform": transform}]


Edit = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    ("transform", "sent", "goes_on"),
    [
        ({"default": {"temperature": 0.2}}, {}, {"temperature": 0.2}),
        ({"default": {"temperature": 0.2}}, {"temperature": 1}, {"temperature": 1}),
        ({"default": {"temperature": 0.2}}, {"temperature": None}, {"temperature": 0.2}),
        ({"default": {"max_tokens": 9}}, {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ({"set": {"user": "fixed"}}, {"user": "mine"}, {"user": "fixed"}),
        ({"set": {"user": "{key.name}/{key.id}"}}, {}, {"user": "Ada/key_1"}),
        (
            {"set": {"metadata": {"who": ["{key.name}", 1, None, "{other}"]}}},
            {},
            {"metadata": {"who": ["Ada", 1, None, "{other}"]}},
        ),
        ({"drop": ["logit_bias", "absent"]}, {"logit_bias": {"1": 2}, "n": 1}, {"n": 1}),
        ({"set": {"user": "x"}, "drop": ["user"]}, {"user": "y"}, {}),
    ],
)
async def test_a_routes_edits_are_made(
    transform: dict[str, Any], sent: dict[str, Any], goes_on: dict[str, Any]
) -> None:
    made = asked("m", **sent)
    await stage(edited(transform)).request(made)
    assert made.request is not None
    body = json.loads(made.request.body_for(model="m", ask_usage=False))
    del body["model"], body["messages"]
    assert body == goes_on


async def test_a_system_prompt_goes_before_the_conversation_with_the_key_filled_in() -> None:
    made = asked("m")
    await stage(edited({"system": "You help {key.name}."})).request(made)
    assert made.request is not None
    messages = json.loads(made.request.body_for(model="m", ask_usage=False))["messages"]
    assert messages == [{"role": "system", "content": "You help Ada."}, {"role": "user", "content": "hi"}]


async def test_the_name_of_a_key_is_a_value_and_never_json() -> None:
    made = asked("m")
    assert made.key is not None
    made.key = ApiKey(id="key_1", name='"}], "model": "other', secret_hash=b"", created_us=0)
    await stage(edited({"set": {"user": "{key.name}"}})).request(made)
    assert made.request is not None
    body = json.loads(made.request.body_for(model="m", ask_usage=False))
    assert (body["user"], body["model"]) == ('"}], "model": "other', "m")


async def test_without_edits_every_byte_stays() -> None:
    made = exchange(Clock())
    made.request = made.dialect.read_request(BODY)
    await stage(edited({})).request(made)
    assert made.request.body_for(model="m", ask_usage=False) == BODY


async def test_edits_that_make_no_request_of_it_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        await stage(edited({"drop": ["messages"]})).request(asked("m"))
