"""How far the gateway's estimate of tokens is off, on recorded answers whose provider told the real numbers.

Only text is compared: answers without thinking (whose text providers keep back), sound or tools of the provider's own.
"""

from __future__ import annotations

import json
from statistics import median, quantiles

import pytest

from gaiarouter.dialects.chat.request import read_request
from gaiarouter.dialects.chat.response import read_answer
from gaiarouter.errors import GatewayError
from gaiarouter.ledger.tokenizer import PACKAGE, Tokenizer
from tests.ledger.conftest import loaded
from tests.recorded import chat_interactions

_SMALLEST = 20
"""Tokens: below that one word more or less is a large error of no weight."""


def ratios(tokenizer: Tokenizer | None = None) -> tuple[list[float], list[float]]:
    """Estimated to real, of inputs and of outputs. tokenizer: what makes the estimate closer."""
    given, said = [], []
    for each in chat_interactions(ok=True, stream=False):
        if not isinstance(each.request, dict) or each.features & {"image", "audio", "document", "pdf", "video"}:
            continue
        try:
            answer = read_answer(each.body)
            request = read_request(body := json.dumps(each.request).encode())
        except GatewayError:
            continue
        usage = answer.usage
        if usage is None or usage.out_reasoning:
            continue
        if usage.input_tokens >= _SMALLEST:
            estimate = request.estimated_input_tokens()
            given.append((tokenizer.given(estimate, body) if tokenizer else estimate) / usage.input_tokens)
        if usage.output_tokens >= _SMALLEST:
            estimate = read_answer(untold(each.body)).text_tokens
            said.append((tokenizer.said(estimate, answer.body) if tokenizer else estimate) / usage.output_tokens)
    return given, said


def untold(answer: bytes) -> bytes:
    """As it would have been without usage: only then is its text weighed."""
    return json.dumps({**json.loads(answer), "usage": None}).encode()


def test_the_estimate_is_in_the_middle_of_what_providers_count() -> None:
    given, said = ratios()
    assert len(given) > 200
    assert len(said) > 200
    assert 0.8 < median(said) < 1.2
    assert 0.7 < median(given) < 1.2
    low, high = quantiles(said, n=10)[0], quantiles(said, n=10)[-1]
    assert 0.25 < low < high < 1.5


def test_the_tokenizer_is_closer_than_the_estimate_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaiarouter.ledger.tokenizer.PACKAGE", PACKAGE)
    (_, alone), (_, counted) = ratios(), ratios(loaded())
    assert len(alone) == len(counted)
    assert near(counted) > 1.5 * near(alone)


def near(found: list[float]) -> int:
    """How many are within a tenth of what the provider counted."""
    return sum(0.9 < each < 1.1 for each in found)


if __name__ == "__main__":
    for how, tokenizer in (("estimate", None), ("tokenizer", loaded())):
        for name, found in zip(("input", "output"), ratios(tokenizer), strict=True):
            tenths = quantiles(found, n=10)
            print(
                f"{how}, {name}: {len(found)} answers, median {median(found):.2f}, tenths {tenths[0]:.2f} and "
                f"{tenths[-1]:.2f}, within a tenth {near(found) / len(found):.0%}"
            )
