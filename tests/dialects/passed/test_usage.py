"""What pictures and sound used, as their vendors tell it, and what that costs by the published prices."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gaiarouter.canonical.usage import Modalities, Usage
from gaiarouter.dialects.passed.answer import read_usage
from gaiarouter.ledger.pricing import cost_nano
from gaiarouter.providers.prices import PriceTable

PICTURE = {
    "input_tokens": 14,
    "input_tokens_details": {"image_tokens": 4, "text_tokens": 10},
    "output_tokens": 272,
    "output_tokens_details": {"image_tokens": 270, "text_tokens": 2},
    "total_tokens": 286,
}
HEARD = {"input_tokens": 30, "input_token_details": {"audio_tokens": 25, "text_tokens": 5}, "output_tokens": 7}


def told(usage: dict[str, Any]) -> Usage:
    return read_usage(Raw(json.dumps(usage).encode()), otherwise=Usage(estimated=True))


@pytest.mark.parametrize(
    ("usage", "modalities"),
    [
        (PICTURE, Modalities(in_image=4, out_image=270)),
        (HEARD, Modalities(in_audio=25)),
        ({"output_tokens": 9, "output_tokens_details": {"audio_tokens": 8}}, Modalities(out_audio=8)),
        ({"input_tokens": 1, "output_tokens": 9}, None),
    ],
    ids=["a picture", "sound heard", "sound made", "text"],
)
def test_pictures_and_sound_are_told_apart(usage: dict[str, Any], modalities: Modalities | None) -> None:
    assert told(usage).modalities == modalities


@pytest.mark.parametrize(
    ("model", "usage", "nano"),
    [
        # dollars for a million tokens: text in 5, picture in 8, text out 10, picture out 32
        ("gpt-image-1.5", PICTURE, 10 * 5_000 + 4 * 8_000 + 2 * 10_000 + 270 * 32_000),
        # text in 5, picture in 10, out 40
        ("gpt-image-1", PICTURE, 10 * 5_000 + 4 * 10_000 + 272 * 40_000),
    ],
)
def test_a_picture_costs_what_pictures_cost(model: str, usage: dict[str, Any], nano: int) -> None:
    assert cost_nano(told(usage), PriceTable.load().find("openai", model)) == nano
