"""A member that nobody knows, put into each object of a request in turn: the target gets it, or its place is named, or
the request is refused for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gaiarouter.dialects.translate import PreparedRequest
from gaiarouter.errors import InvalidRequest
from tests.dialects.test_canonical_round_trip import FORMATS
from tests.dialects.test_mutated_requests import decoded
from tests.dialects.test_nested_losses import PDF, PICTURE, SCHEMA

STRAY = "astray"
DATA = f"data:image/png;base64,{PICTURE}"
CACHE = {"type": "ephemeral", "ttl": "1h"}
CITED = {"type": "url_citation", "url": "https://a.b", "title": "t", "start_index": 0, "end_index": 1}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
GRAMMAR = {"syntax": "lark", "definition": "start: x"}
PLACE = {"city": "Bonn"}
BLOB = {"mimeType": "image/png", "data": PICTURE}

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (
        "chat",
        {
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": CACHE}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}},
                        {"type": "image_url", "image_url": {"url": DATA}},
                        {"type": "file", "file": {"filename": "a.txt", "file_data": "aGVsbG8="}},
                    ],
                },
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "So"}]},
            ],
            "tools": [{"type": "function", "function": FUNCTION, "cache_control": CACHE}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            "reasoning": {"effort": "high"},
        },
    ),
    (
        "chat",
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": GRAMMAR}}}],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"tools": [{"type": "custom", "custom": {"name": "g"}}]},
            },
            "thinking": {"type": "adaptive"},
            "stream": True,
            "stream_options": {"include_usage": True},
            "prompt_cache_options": {"mode": "explicit"},
        },
    ),
    (
        "chat",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}}],
                }
            ],
            "functions": [FUNCTION],
        },
    ),
    (
        "chat",
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "web_search_options": {"user_location": {"type": "approximate", "approximate": PLACE}},
        },
    ),
    (
        "messages",
        {
            "max_tokens": 9999,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": CACHE}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
                        {"type": "document", "source": PDF},
                        {
                            "type": "document",
                            "source": {"type": "content", "content": [{"type": "text", "text": "So"}]},
                        },
                        {
                            "type": "search_result",
                            "source": "s",
                            "title": "t",
                            "content": [{"type": "text", "text": "So"}],
                        },
                    ],
                },
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "So"}]}
                    ],
                },
            ],
            "tools": [{"name": "f", "input_schema": SCHEMA, "cache_control": CACHE}],
            "tool_choice": {"type": "tool", "name": "f"},
            "metadata": {"user_id": "u"},
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
    ),
    (
        "responses",
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}},
                        {"type": "input_image", "image_url": DATA},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JVBERi0xLjQgeA==",
                        },
                    ],
                },
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So"}]},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "So"}]},
            ],
            "tools": [
                {"type": "function", **FUNCTION},
                {"type": "custom", "name": "g", "format": {"type": "grammar", **GRAMMAR}},
                {"type": "namespace", "name": "ns", "tools": [{"type": "function", **FUNCTION}]},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
            "reasoning": {"effort": "high"},
        },
    ),
    (
        "gemini",
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"inlineData": BLOB, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [{"inlineData": BLOB}]}}],
                },
            ],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 2000}},
        },
    ),
]
NOT_OURS = frozenset(
    {"parameters", "schema", "input_schema", "parametersJsonSchema", "input", "args", "response", "approximate"}
)
"""Members whose value is the caller's own."""


def objects(value: Any, path: str = "") -> Iterator[tuple[str, list[str | int]]]:
    """Each object inside: its path as it is told, and the steps to it."""
    members: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        members = ((name, each) for name, each in value.items() if name not in NOT_OURS)
    elif isinstance(value, list):
        members = enumerate(value)
    for step, each in members:
        at = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}".lstrip(".")
        if isinstance(each, dict):
            yield at, [step]
        for inner, steps in objects(each, at):
            yield inner, [step, *steps]


def with_stray(body: dict[str, Any], steps: list[str | int]) -> dict[str, Any]:
    # through JSON: no two places share one object
    changed: dict[str, Any] = json.loads(json.dumps(body))
    place: Any = changed
    for step in steps:
        place = place[step]
    place[STRAY] = "lost?"
    return changed


def written(caller: str, target: str, body: dict[str, Any]) -> PreparedRequest | None:
    """None where it is refused."""
    format_ = FORMATS[target]
    try:
        return format_.target.prepare(decoded(caller, {"model": "m"} | body), model=format_.model, strict=False)
    except InvalidRequest:
        return None


def is_lost(path: str, found: PreparedRequest | None) -> bool:
    if found is None or STRAY.encode() in found.body:
        return False
    # of a part that only its own format has, the whole is named
    return not any(loss.path == f"{path}.{STRAY}" or path.startswith(loss.path) for loss in found.losses)


PAIRS = [
    pytest.param(caller, target, body, id=f"{caller}-{number}-{target}")
    for number, (caller, body) in enumerate(REQUESTS)
    for target in FORMATS
    if target != caller and written(caller, target, body) is not None
]


@pytest.mark.parametrize(("caller", "target", "body"), PAIRS)
def test_a_member_that_nobody_knows_is_lost_nowhere_without_a_word(
    caller: str, target: str, body: dict[str, Any]
) -> None:
    found = {path: written(caller, target, with_stray(body, steps)) for path, steps in objects(body)}
    assert [path for path, each in found.items() if is_lost(path, each)] == []


def test_most_of_the_requests_are_taken_by_most_targets() -> None:
    assert len(PAIRS) >= 14


NULLS = {"null": None, "off": False, "empty": [], "none": {}, "blank": "", "any": "auto"}


@pytest.mark.parametrize("target", ["messages", "gemini", "responses"])
def test_a_member_that_asks_for_nothing_is_no_loss(target: str) -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "Hi", **NULLS}], **NULLS}
    found = written("chat", target, {"messages": [asked]})
    assert found is not None
    assert found.losses == ()


@pytest.mark.parametrize("target", ["messages", "gemini", "responses"])
def test_what_came_with_a_models_own_words_is_no_loss(target: str) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "So", "annotations": [CITED], "citations": [CITED], "tool_calls": [call]}
    turns = [{"role": "user", "content": "Hi"}, said, {"role": "tool", "tool_call_id": "c1", "content": "So"}]
    found = written("chat", target, {"messages": turns, "tools": [{"type": "function", "function": FUNCTION}]})
    assert found is not None
    assert found.losses == ()


def test_a_strict_caller_is_told_and_not_refused() -> None:
    request = decoded("chat", {"model": "m", "messages": [{"role": "user", "content": "Hi", STRAY: 1}]})
    found = FORMATS["gemini"].target.prepare(request, model="gemini-3-pro", strict=True)
    assert [loss.path for loss in found.losses] == [f"messages[0].{STRAY}"]


def test_what_is_wrong_beside_a_member_that_nobody_knows_is_told_by_its_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded("chat", {"model": "m", "messages": [{"role": "user", "content": "Hi", STRAY: 1}, {"role": 7}]})
    assert caught.value.param == "messages[1].role"


@pytest.mark.parametrize("caller", FORMATS)
def test_a_request_written_anew_for_its_own_format_has_no_member_with_a_path_for_its_name(caller: str) -> None:
    for _, body in (each for each in REQUESTS if each[0] == caller):
        for path, steps in objects(body):
            found = written(caller, caller, with_stray(body, steps))
            assert found is None or f'.{STRAY}"'.encode() not in found.body, path


def test_a_name_that_nobody_knows_is_told_up_to_a_length() -> None:
    request = decoded("chat", {"model": "m", "messages": [{"role": "user", "content": "Hi", "x" * 5000: 1}]})
    (loss,) = FORMATS["gemini"].target.prepare(request, model="gemini-3-pro", strict=False).losses
    assert len(loss.path) < 100


def test_no_more_of_them_are_told_than_a_header_holds() -> None:
    turns = [{"role": "user", "content": "Hi", STRAY: 1} for _ in range(1000)]
    found = written("chat", "gemini", {"messages": turns})
    assert found is not None
    assert len(found.losses) == 100


@pytest.mark.parametrize(
    ("target", "members"),
    [
        ("messages", {"tools": [{"name": "f", "input_schema": SCHEMA, STRAY: 1}]}),
        ("gemini", {"tools": [{"googleSearch": {STRAY: 1}}]}),
    ],
)
def test_what_a_chat_caller_says_in_the_targets_own_words_goes_on_whole(target: str, members: dict[str, Any]) -> None:
    found = written("chat", target, {"messages": [{"role": "user", "content": "Hi"}], **members})
    assert found is not None
    assert STRAY.encode() in found.body
    assert found.losses == ()
