"""What stands inside a request's fields and finds no place in the target's format is named, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES
from tests.dialects.test_mutated_requests import decoded
from tests.dialects.test_own_fields import TARGETS

MARK = {"cache_control": {"type": "ephemeral"}}
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQgeA=="}
SCHEMA = {"type": "object", "properties": {}}
OPENAI = ChatTarget(PROFILES["openai"].chat, CapabilityTable()), "gpt-4.1"
SEARCHING = MessagesTarget(MessagesTable(), web_search=True), "claude-opus-4-5"


def losses(caller: str, target: str, body: dict[str, Any], *, strict: bool = False) -> list[str]:
    limit = {"max_tokens": 99} if caller == "messages" else {}
    model = {} if caller == "gemini" else {"model": "m"}
    encoder, name = {**TARGETS, "chat": OPENAI, "messages": SEARCHING}[target]
    prepared = encoder.prepare(decoded(caller, model | limit | body), model=name, strict=strict)
    return [loss.path for loss in prepared.losses]


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "Hi"}]}]}


def pictured(detail: str) -> dict[str, Any]:
    url = {"url": f"data:image/png;base64,{PICTURE}", "detail": detail}
    return said({"type": "image_url", "image_url": url})


def document(**members: Any) -> dict[str, Any]:
    return said({"type": "document", "source": PDF, **members})


def answered(result: dict[str, Any]) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", **result}
    turns = [("user", "Hi"), ("assistant", [call]), ("user", [result])]
    tools = [{"name": "f", "input_schema": SCHEMA}]
    return {"tools": tools, "messages": [{"role": role, "content": content} for role, content in turns]}


MARKED = {"content": [{"type": "text", "text": "So", **MARK}]}
ASKING = {"messages": [{"role": "user", "content": "Hi"}]}
MARKED_TOOL = ASKING | {"tools": [{"name": "f", "input_schema": SCHEMA, **MARK}]}
MARKED_SYSTEM = ASKING | {"system": [{"type": "text", "text": "Be brief.", **MARK}]}
FEW = {"tools": [{"name": "f", "input_schema": SCHEMA}]}
ONE_CALL = ASKING | FEW | {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
LATER = ASKING | {"tools": [{"name": "f", "input_schema": SCHEMA, "defer_loading": True}]}
LABELLED = {"input": "Hi", "metadata": {"job": "7"}}


@pytest.mark.parametrize(
    ("caller", "target", "body", "path"),
    [
        ("chat", "messages", pictured("low"), "messages[0].content[0]"),
        (
            "chat",
            "messages",
            ASKING | {"web_search_options": {"search_context_size": "low"}},
            "web_search_options.search_context_size",
        ),
        *(
            ("messages", each, document(context="So"), "messages[0].content[0].context")
            for each in ("chat", "gemini", "responses")
        ),
        *(
            ("messages", each, document(citations={"enabled": True}), "messages[0].content[0].citations")
            for each in ("chat", "gemini", "responses")
        ),
        *(
            ("messages", each, answered(MARKED), "messages[2].content[0].content[0]")
            for each in ("chat", "gemini", "responses")
        ),
        *(
            ("messages", each, answered({"content": "So", **MARK}), "messages[2].content[0]")
            for each in ("chat", "gemini", "responses")
        ),
        *(("messages", each, MARKED_TOOL, "tools[0]") for each in ("chat", "gemini", "responses")),
        *(("messages", each, MARKED_SYSTEM, "system[0]") for each in ("chat", "gemini", "responses")),
        *(("messages", each, LATER, "tools[0].defer_loading") for each in ("chat", "gemini", "responses")),
        *(("responses", each, LABELLED, "metadata") for each in ("chat", "messages", "gemini")),
    ],
)
def test_a_member_without_a_place_is_named_and_no_strict_caller_is_refused(
    caller: str, target: str, body: dict[str, Any], path: str
) -> None:
    assert losses(caller, target, body) == [path]
    assert losses(caller, target, body, strict=True) == [path]


@pytest.mark.parametrize(
    ("caller", "target", "body"),
    [
        ("chat", "messages", pictured("auto")),
        ("chat", "messages", ASKING | {"web_search_options": {"search_context_size": "medium"}}),
        *(("messages", each, document(citations={"enabled": False})) for each in ("chat", "gemini", "responses")),
        *(("messages", each, document(citations=None, context=None)) for each in ("chat", "gemini", "responses")),
    ],
)
def test_what_asks_for_nothing_is_no_loss(caller: str, target: str, body: dict[str, Any]) -> None:
    assert losses(caller, target, body) == []


def test_the_wish_for_one_call_at_a_time_is_told_by_the_callers_name_of_it() -> None:
    path = "tool_choice.disable_parallel_tool_use"
    assert losses("messages", "gemini", ONE_CALL) == [path]
    with pytest.raises(InvalidRequest) as caught:
        losses("messages", "gemini", ONE_CALL, strict=True)
    assert caught.value.param == path
