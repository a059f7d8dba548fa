"""Recorded requests with a value of another type somewhere, for targets of every format: they are refused by the path
of a field, or written; nothing else happens."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.errors import InvalidRequest
from tests.dialects.test_canonical_round_trip import FORMATS
from tests.dialects.test_mutated_traffic import ODD, changed, places
from tests.recorded import Interaction, chat_interactions, interactions

CALLERS: dict[str, Any] = {
    "chat": ChatCaller(),
    "messages": MessagesCaller(),
    "gemini": GeminiCaller(),
    "responses": ResponsesCaller(),
}
RECORDED = {
    "chat": [each for each in chat_interactions() if isinstance(each.request, dict) and "messages" in each.request],
    "messages": [each for each in interactions("anthropic", "messages") if "model" in each.request],
    "gemini": [each for each in interactions("google", "generate") if "contents" in (each.request or {})],
    "responses": [each for each in interactions(endpoint="responses") if "input" in (each.request or {})],
}
OURS = (
    *ODD,
    0,
    -1,
    2**63,
    1e308,
    "\ud800",
    "auto",
    {"type": "x"},
    [{"type": "text", "text": "x"}],
    [[]],
    "data:;base64,",
)


def some(count: int) -> list[Any]:
    return [
        pytest.param(name, each, id=f"{name}-{each!r}")
        for name, found in RECORDED.items()
        for each in [each for each in found if len(json.dumps(each.request)) < 20_000][:: max(1, len(found) // count)]
    ]


def decoded(name: str, value: Any) -> CanonicalRequest:
    request: CanonicalRequest = CALLERS[name].decode_request(
        json.dumps(value).encode(), Envelope(model="m", stream=False)
    )
    return request


def refusal(act: Callable[[], Any]) -> InvalidRequest | None:
    """Nothing else may be raised."""
    try:
        act()
    except InvalidRequest as error:
        return error
    return None


@pytest.mark.parametrize(("name", "interaction"), some(12))
def test_a_value_of_another_type_is_refused_by_its_path_or_written(name: str, interaction: Interaction) -> None:
    chance, every = random.Random(interaction.id), list(places(interaction.request))[1:]
    for _ in range(60):
        value = changed(interaction.request, chance.choice(every), chance.choice(OURS))
        found = refusal(lambda value=value: decoded(name, value))
        if found is not None:
            assert found.message
            continue
        for format_, strict in product(FORMATS.values(), (False, True)):
            request = decoded(name, value)
            found = refusal(
                lambda request=request, format_=format_, strict=strict: json.loads(
                    format_.target.prepare(request, model=format_.model, strict=strict).body
                )
            )
            assert found is None or found.param, found and found.message
