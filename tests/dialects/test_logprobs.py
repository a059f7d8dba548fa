"""What a provider tells of probabilities is told on only if it is what it should be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.target_response import decode_answer
from gaiarouter.dialects.logprobs import is_told
from tests.dialects.test_answer_round_trip import FORMATS

TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (json.dumps([TOKEN]), True),
        ('[{"token":"a","logprob":null,"top_logprobs":null}]', True),
        *((odd, False) for odd in ("", "null", "[]", "{}", "true", "1.5", '"x"', "[null]", '[{"token":1}]', "[[]]")),
    ],
)
def test_a_list_of_tokens_is_one(raw: str, told: bool) -> None:
    assert is_told(Raw(raw.encode())) == told


@pytest.mark.parametrize("odd", [True, 1.5, {}, [None], [{"token": 1}]])
@pytest.mark.parametrize("name", FORMATS)
def test_other_things_in_their_place_are_no_crash(name: str, odd: Any) -> None:
    choice = {"index": 0, "message": {"content": "Hi"}, "logprobs": {"content": odd}, "finish_reason": "stop"}
    answer = decode_answer(json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode(), AnswerPlan())
    assert "Hi" in FORMATS[name].writer.encode_answer(answer).decode()
