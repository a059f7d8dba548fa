"""The account of fields: complete, and true of what the encoder does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.fields import NESTED, TOP_LEVEL
from gaiarouter.dialects.gemini.fields import FORWARDED_EXTRAS, SLOTS
from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.send import encode

# what of the canonical form is no field of the caller's
OURS = {"dialect", "extras", "echoed", "paths"}
NESTED_SLOTS = ("sampling", "output")


def canonical_slots() -> Iterator[str]:
    for field in msgspec.structs.fields(CanonicalRequest):
        if field.name in NESTED_SLOTS:
            yield from (f"{field.name}.{inner.name}" for inner in msgspec.structs.fields(field.type))
        elif field.name not in OURS:
            yield field.name


def test_every_slot_of_the_canonical_form_has_a_rule() -> None:
    assert set(canonical_slots()) <= SLOTS.keys()


def test_every_field_of_chat_leads_to_a_slot_with_a_rule_or_is_an_extra() -> None:
    slots = {field.slot for field in (*TOP_LEVEL.values(), *NESTED.values())}
    assert slots - {None} <= SLOTS.keys()


def test_every_rule_but_a_plain_map_says_why() -> None:
    assert [slot for slot, rule in SLOTS.items() if rule.kind != "map" and not rule.why] == []


# a value for each field of Chat's that is dropped or refused
VALUES: dict[str, Any] = {
    "min_p": 0.5,
    "repetition_penalty": 2,
    "logit_bias": {"1": 1},
    "verbosity": "low",
    "user": "me",
    "safety_identifier": "me",
    "metadata": {"a": "b"},
    "prompt_cache_options": {"ttl": "1h"},
    "store": True,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prediction": {"type": "content", "content": "x"},
    "moderation": True,
    "background": True,
}


def fate(name: str) -> str:
    field = TOP_LEVEL[name]
    if field.slot is None:
        return "reject" if field.loss == "refuse" else "drop"
    return SLOTS[field.slot].kind


def test_the_table_of_values_is_complete() -> None:
    assert {name for name in TOP_LEVEL if fate(name) in ("drop", "reject")} == VALUES.keys()


@pytest.mark.parametrize("name", sorted(VALUES))
def test_a_field_meets_the_fate_that_the_table_tells(name: str) -> None:
    members = {name: VALUES[name]}
    if fate(name) == "reject":
        with pytest.raises(InvalidRequest) as refused:
            encode(**members)
        assert refused.value.param == name
    else:
        assert [(loss.path, loss.kind) for loss in encode(**members).losses] == [(name, "drop")]


NEUTRAL: dict[str, Any] = {
    "min_p": 0,
    "repetition_penalty": 1,
    "logit_bias": {},
    "verbosity": "medium",
    "background": False,
}


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_a_value_that_asks_for_nothing_is_no_loss(name: str) -> None:
    assert encode(strict=True, **{name: NEUTRAL[name]}).losses == ()


BLIND = ("user", "safety_identifier", "metadata", "prompt_cache_options", "store", "prompt_cache_key")


@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"background", *BLIND, "prompt_cache_retention"}))
def test_the_strict_are_refused_what_would_be_dropped(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(strict=True, **{name: VALUES[name]})
    assert refused.value.param == name


@pytest.mark.parametrize("name", BLIND)
def test_even_the_strict_lose_what_is_sent_to_everybody(name: str) -> None:
    assert [loss.path for loss in encode(strict=True, **{name: VALUES[name]}).losses] == [name]


@pytest.mark.parametrize("name", sorted(FORWARDED_EXTRAS))
def test_members_of_the_format_itself_go_on(name: str) -> None:
    asked: dict[str, Any] = {name: []}
    encoded = encode(strict=True, **asked)
    assert f'"{FORWARDED_EXTRAS[name]}":[]'.encode() in encoded.body
