"""What vectors used, as providers tell it: whatever that is, the vectors are the caller's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.usage import REJECTED, Usage
from gaiarouter.dialects.embeddings.answer import decode_answer
from gaiarouter.dialects.gemini.embedding_answer import GeminiPassed
from gaiarouter.dialects.gemini.embeddings import PreparedGeminiEmbeddings

ABSURD: list[Any] = [-1, 1.5, "12", [3], 10**12, 10**400, None, 0]
NAMES = ["negative", "a half", "text", "list", "beyond windows", "beyond integers", "null", "zero"]
NOTHING = (None, 0)


@pytest.mark.parametrize("count", ABSURD, ids=NAMES)
def test_a_count_that_cannot_be_is_none_and_costs_no_answer(count: Any) -> None:
    body = {"data": [{"index": 0, "embedding": [1.0]}], "usage": {"prompt_tokens": count, "total_tokens": count}}
    answer = decode_answer(json.dumps(body).encode(), inputs=1)
    assert len(answer.vectors) == 1
    assert answer.usage is (None if count in NOTHING else REJECTED)


@pytest.mark.parametrize("usage", [None, 3, "x", [], {}])
def test_a_usage_of_another_form_is_none_to_believe(usage: Any) -> None:
    body = {"data": [{"index": 0, "embedding": [1.0]}], "usage": usage}
    assert decode_answer(json.dumps(body).encode(), inputs=1).usage is (REJECTED if usage not in (None, {}) else None)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [({"prompt_tokens": 7, "total_tokens": 7}, 7), ({"total_tokens": 8}, 8), ({"prompt_tokens": 7, "total": "x"}, 7)],
)
def test_a_count_that_can_be_is_believed(usage: Any, tokens: int) -> None:
    body = {"data": [{"index": 0, "embedding": [1.0]}], "usage": usage}
    assert decode_answer(json.dumps(body).encode(), inputs=1).usage == Usage(in_uncached=tokens)


@pytest.mark.parametrize("count", ABSURD, ids=NAMES)
def test_googles_counts_are_read_with_the_same_care(count: Any) -> None:
    counts = {"usageMetadata": {"promptTokenCount": count}}
    many = json.dumps({"embeddings": [{"values": [1.0]}], **counts}).encode()
    prepared = PreparedGeminiEmbeddings(body=b"", inputs=1, dropped=())
    was_told = count not in NOTHING
    assert prepared.decode_answer(many).usage is (REJECTED if was_told else None)
    one = json.dumps({"embedding": {"values": [1.0]}, **counts}).encode()
    estimate = Usage(in_uncached=5, estimated=True, rejected=was_told)
    assert GeminiPassed(b"", inputs=None, tokens=5).read_answer(one).usage == estimate
