"""The account of fields: complete, and true of what the encoder does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gaiarouter.canonical.losses import Losses
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.fields import NESTED, TOP_LEVEL
from gaiarouter.dialects.messages.fields import SLOTS, account
from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import encode

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


# a value for each field of Chat's that asks for something
VALUES: dict[str, Any] = {
    "min_p": 0.5,
    "frequency_penalty": 1,
    "presence_penalty": 1,
    "repetition_penalty": 2,
    "seed": 7,
    "n": 2,
    "logit_bias": {"1": 1},
    "logprobs": True,
    "top_logprobs": 1,
    "modalities": ["audio"],
    "audio": {"voice": "x"},
    "verbosity": "low",
    "metadata": {"a": "b"},
    "store": True,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prediction": {"type": "content"},
    "moderation": {"a": 1},
    "background": True,
}


def fate(name: str) -> str:
    field = TOP_LEVEL[name]
    if field.slot is None:
        return "reject" if field.loss == "refuse" else "drop"
    return SLOTS[field.slot].kind


@pytest.mark.parametrize("name", [name for name in TOP_LEVEL if fate(name) == "drop"])
def test_a_field_that_the_table_drops_is_dropped_and_told(name: str) -> None:
    encoded = encode(**{name: VALUES[name]})
    assert [(loss.path, loss.kind) for loss in encoded.losses] == [(name, "drop")]
    assert encoded.body == encode().body


@pytest.mark.parametrize("name", [name for name in TOP_LEVEL if fate(name) == "reject"])
def test_a_field_that_the_table_rejects_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(**{name: VALUES[name]})
    assert caught.value.param == name


@pytest.mark.parametrize("slot", [slot for slot, rule in SLOTS.items() if rule.neutral])
def test_a_value_that_asks_for_nothing_is_lost_without_a_word(slot: str) -> None:
    group, _, name = slot.partition(".")
    kind = {field.name: field.type for field in msgspec.structs.fields(CanonicalRequest)}[group]
    for value in SLOTS[slot].neutral:
        request = CanonicalRequest(
            dialect="chat", model="x", turns=(), paths={slot: "said"}, **{group: kind(**{name: value})}
        )
        losses = Losses(strict=True)
        account(request, losses)
        assert losses.all() == ()
