"""Lists of models in each vendor's shape; pages are what the vendors' own documentation says of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.base import ListedModel, Listing
from gaiarouter.dialects.chat import listing as chat
from gaiarouter.dialects.gemini import listing as gemini
from gaiarouter.dialects.messages import listing as messages
from gaiarouter.errors import InvalidRequest

MODELS = [ListedModel(f"m{number}", "main", 1000 + number) for number in range(45)]


def asked(shape: Listing, **query: str) -> Any:
    return json.loads(shape.models_body(MODELS, query))


def test_t78_openai_clients_get_all_models_at_once() -> None:
    body = asked(chat)
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == [f"m{number}" for number in range(45)]
    assert body["data"][0] == {"id": "m0", "object": "model", "created": 0, "owned_by": "main"}


@pytest.mark.parametrize(
    ("query", "first", "last", "has_more"),
    [
        ({}, "m0", "m19", True),
        ({"limit": "1000"}, "m0", "m44", False),
        ({"limit": "45"}, "m0", "m44", False),
        ({"after_id": "m19"}, "m20", "m39", True),
        ({"after_id": "m39"}, "m40", "m44", False),
        ({"before_id": "m20", "limit": "5"}, "m15", "m19", True),
        ({"before_id": "m3"}, "m0", "m2", False),
        ({"after_id": "m44"}, None, None, False),
    ],
)
def test_t78_anthropic_clients_get_pages(
    query: dict[str, str], first: str | None, last: str | None, has_more: bool
) -> None:
    body = asked(messages, **query)
    assert (body["first_id"], body["last_id"], body["has_more"]) == (first, last, has_more)
    ids = [model["id"] for model in body["data"]]
    assert (ids[0] if ids else None, ids[-1] if ids else None) == (first, last)


@pytest.mark.parametrize(
    ("shape", "query", "param"),
    [
        (messages, {"limit": "0"}, "limit"),
        (messages, {"limit": "1001"}, "limit"),
        (messages, {"limit": "-1"}, "limit"),
        (messages, {"limit": "1e3"}, "limit"),
        (messages, {"limit": "9" * 5000}, "limit"),
        (messages, {"limit": "²"}, "limit"),
        (messages, {"after_id": "nobody"}, "after_id"),
        (messages, {"before_id": "nobody"}, "before_id"),
        (gemini, {"pageSize": "many"}, "pageSize"),
        (gemini, {"pageToken": "x"}, "pageToken"),
        (gemini, {"pageToken": "9" * 5000}, "pageToken"),
    ],
)
def test_a_page_that_cannot_be_names_the_parameter(shape: Listing, query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        shape.models_body(MODELS, query)
    assert raised.value.param == param


def test_t78_google_clients_follow_tokens_to_the_end() -> None:
    names, token = [], ""
    while True:
        body = asked(gemini, pageSize="20", **({"pageToken": token} if token else {}))
        names += [model["name"] for model in body["models"]]
        token = body.get("nextPageToken", "")
        if not token:
            break
    assert names == [f"models/m{number}" for number in range(45)]


def test_a_context_length_that_is_not_known_is_not_made_up() -> None:
    unknown = ListedModel("m", "main")
    assert json.loads(messages.model_body(unknown))["max_input_tokens"] is None
    assert "inputTokenLimit" not in json.loads(gemini.model_body(unknown))
    known = ListedModel("m", "main", 8192)
    assert json.loads(messages.model_body(known))["max_input_tokens"] == 8192
    assert json.loads(gemini.model_body(known))["inputTokenLimit"] == 8192
