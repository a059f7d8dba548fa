"""Where an answer is from, and how likely its tokens were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.parts import Text
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.view import AnswerView
from tests.dialects.gemini.stream import only, response, streamed, text, whole

VIEW = AnswerView(fallback_id="chatcmpl-x", created=7, include_usage=True)
CHUNKS = [{"web": {"uri": "https://a", "title": "A"}}, {"retrievedContext": {"uri": "u", "title": "B", "text": "t"}}]


def grounded(*supports: dict[str, Any]) -> dict[str, Any]:
    return {"groundingMetadata": {"groundingChunks": CHUNKS, "groundingSupports": list(supports)}}


def support(start: int | None, end: int, quoted: str | None, *chunks: int, part: int | None = None) -> dict[str, Any]:
    segment = {"startIndex": start, "endIndex": end, "text": quoted, "partIndex": part}
    return {
        "segment": {name: value for name, value in segment.items() if value is not None},
        "groundingChunkIndices": list(chunks),
    }


def cited(answer: CanonicalAnswer) -> list[tuple[int, str, str | None, int | None, int | None]]:
    return [
        (index, each.kind, each.url, each.start, each.end)
        for index, part in enumerate(only(answer).parts)
        if isinstance(part, Text)
        for each in part.citations
    ]


def test_sources_are_placed_by_characters_not_bytes() -> None:
    body = response(
        text("Größe zählt."), finish="STOP", **grounded(support(None, 7, "Größe", 0), support(8, 14, "zählt", 0, 1))
    )
    expected = [(0, "url", "https://a", 0, 5), (0, "url", "https://a", 6, 11), (0, "document", "u", 6, 11)]
    assert cited(whole(body)) == cited(streamed(body)) == expected


def test_a_place_needs_no_quotation() -> None:
    body = response(text("Größe zählt."), finish="STOP", **grounded(support(8, 14, None, 0)))
    assert cited(whole(body)) == [(0, "url", "https://a", 6, 11)]


def test_sources_are_of_the_part_that_they_name() -> None:
    body = response(
        text("A", thought=True), text("same"), text("same"), finish="STOP", **grounded(support(0, 4, "same", 0, part=2))
    )
    assert cited(whole(body)) == [(2, "url", "https://a", 0, 4)]


def test_sources_that_come_with_the_end_of_a_stream_are_of_the_text_before() -> None:
    answer = streamed(
        response(text("The capital ")),
        response(text("is Paris.")),
        response(
            text("", thoughtSignature="S"), finish="STOP", **grounded(support(None, 21, "The capital is Paris.", 0))
        ),
    )
    assert cited(answer) == [(0, "url", "https://a", 0, 21)]
    message = json.loads(encode_answer(answer, VIEW))["choices"][0]["message"]
    assert message["annotations"] == [
        {"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 21}}
    ]


@pytest.mark.parametrize(
    "wrong", [support(5, 99, "nowhere", 0), support(3, 2, None, 0), {"groundingChunkIndices": [0]}]
)
def test_a_source_without_a_place_is_of_the_whole_text(wrong: dict[str, Any]) -> None:
    body = response(text("Hello"), finish="STOP", **grounded(wrong, support(0, 1, "H", 7)))
    assert cited(whole(body)) == [(0, "url", "https://a", None, None)]


def test_a_text_that_was_quoted_from_elsewhere_names_its_source() -> None:
    quotations = {"citations": [{}, {"uri": "https://q", "startIndex": 1, "endIndex": 3}, {"uri": "https://r"}]}
    body = response(text("Hello"), finish="STOP", citationMetadata=quotations)
    assert cited(whole(body)) == [(0, "url", "https://q", 1, 3), (0, "url", "https://r", None, None)]


def test_probabilities_are_told_token_by_token() -> None:
    told = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -2}]}],
    }
    body = json.loads(encode_answer(whole(response(text("é"), finish="STOP", logprobsResult=told)), VIEW))
    assert body["choices"][0]["logprobs"]["content"] == [
        {
            "token": "é",
            "logprob": -0.5,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "b", "logprob": -2.0, "bytes": [98]}],
        }
    ]
