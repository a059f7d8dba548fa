"""What an operator knows better of a model than the tables do: the file's words for it, and what they change."""

from __future__ import annotations

import json
import types
import typing
from typing import Any

import orjson
import pytest

from gaiarouter.config.loader import load_mapping, load_settings
from gaiarouter.config.structure import schema_text
from gaiarouter.dialects.chat.capabilities import Capabilities as Chat
from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.gemini.capabilities import Capabilities as Gemini
from gaiarouter.dialects.messages.capabilities import Capabilities as Messages
from gaiarouter.providers.targets import targets

ENTRY: dict[str, Any] = orjson.loads(schema_text())["$defs"]["provider"]["properties"]["capabilities"]["items"]
TABLES = {"messages": Messages, "gemini": Gemini, "chat": Chat}
OF_TYPE = {"boolean": bool, "integer": int, "string": str}


def accepts(schema: dict[str, Any], hint: Any) -> bool:
    """Whether the schema takes the values of the type, by a reader of its own."""
    if schema["type"] == "array":
        members = [each for each in typing.get_args(hint) if each is not ...]
        return typing.get_origin(hint) is tuple and all(accepts(schema["items"], each) for each in members)
    named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    wanted = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if ("null" in named) != (type(None) in wanted):
        return False
    (kind,) = [each for each in wanted if each is not type(None)]
    if typing.get_origin(kind) is typing.Literal:
        return set(schema["enum"]) - {None} == set(typing.get_args(kind))
    return bool(kind is OF_TYPE[next(each for each in named if each != "null")])


@pytest.mark.parametrize("dialect", TABLES)
def test_the_file_takes_every_field_of_the_tables_with_its_type(dialect: str) -> None:
    hints = typing.get_type_hints(TABLES[dialect])
    known = ENTRY["properties"][dialect]["properties"]
    assert known.keys() == hints.keys()
    assert [name for name, hint in hints.items() if not accepts(known[name], hint)] == []


def config(*capabilities: Any, dialect: str = "anthropic") -> dict[str, Any]:
    return {
        "providers": {"main": {"dialect": dialect, "base_url": "http://127.0.0.1:1", "capabilities": [*capabilities]}},
        "routes": [{"match": "*", "targets": [{"provider": "main"}]}],
    }


def sent(settings: dict[str, Any], model: str, **members: Any) -> dict[str, Any]:
    """What a Chat caller's request becomes for the provider `main`."""
    (target,) = targets(load_settings(settings))["main"].values()
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]} | members).encode()
    found: dict[str, Any] = json.loads(target.prepare(decode_request(body), model=model, strict=False).body)
    return found


def test_an_entry_changes_what_is_sent_to_the_models_that_it_matches() -> None:
    settings = config(
        {"match": ["claude-next", "house-*"], "messages": {"max_output": 1000}},
        {"match": "*", "messages": {"max_output": 500}},
    )
    limits = {
        model: sent(settings, model, max_tokens=99_999)["max_tokens"] for model in ("claude-next", "house-1", "x")
    }
    assert limits == {"claude-next": 1000, "house-1": 1000, "x": 500}


def test_what_an_entry_does_not_say_stays() -> None:
    plain = sent(config({"match": "none", "messages": {"bound": True}}), "claude-sonnet-4-5", reasoning_effort="high")
    told = sent(
        config({"match": "*", "messages": {"max_output": 64_000}}), "claude-sonnet-4-5", reasoning_effort="high"
    )
    assert told["thinking"] == plain["thinking"]


def test_lists_and_nothing_are_values_too() -> None:
    levels = config({"match": "*", "gemini": {"levels": ["LOW"]}}, dialect="google")
    thinks = sent(levels, "gemini-3-pro", reasoning_effort="high")["generationConfig"]["thinkingConfig"]
    assert thinks["thinkingLevel"] == "LOW"
    mute = config({"match": "*", "gemini": {"thinking": None}}, dialect="google")
    assert "thinkingConfig" not in sent(mute, "gemini-3-pro", reasoning_effort="high").get("generationConfig", {})


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"match": "*", "messages": {"max_ouput": 5}}, "max_ouput: unknown key; did you mean `max_output`?"),
        ({"match": "*", "messages": {"max_output": "5"}}, "max_output: found '5', expected"),
        ({"match": "*", "gemini": {"thinking": "maybe"}}, "thinking: found 'maybe', expected"),
        ({"match": "*", "gemini": {"budgets": [1]}}, "budgets"),
        ({"messages": {"max_output": 5}}, "match"),
        ({"match": "*"}, "capabilities[0]"),
    ],
)
def test_a_mistake_is_named_by_its_place(entry: Any, told: str) -> None:
    loaded = load_mapping(config(entry))
    problem = str(loaded.problems[0])
    assert loaded.settings is None
    assert "providers.main.capabilities[0]" in problem
    assert told in problem
