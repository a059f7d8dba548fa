"""Coding clients offer their vendor's search beside their own tools, to whatever model they are set to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat import capabilities as chat
from gaiarouter.dialects.chat.profile import ANY_SERVER
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.gemini import capabilities as gemini
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages import capabilities as messages
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.translate import PreparedRequest, Target
from gaiarouter.errors import InvalidRequest

TARGETS: dict[str, tuple[Target, str]] = {
    "chat": (ChatTarget(ANY_SERVER, chat.CapabilityTable()), "gpt-4.1"),
    "messages": (MessagesTarget(messages.CapabilityTable()), "claude-haiku-4-5"),
    "gemini": (GeminiTarget(gemini.CapabilityTable()), "gemini-2.5-flash"),
}
SEARCH = {"type": "web_search", "external_web_access": True}
SHELL = {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}}


def prepared(target: tuple[Target, str], *, strict: bool = False, **members: Any) -> PreparedRequest:
    body = {"model": "m", "input": "hi", **members}
    request = ResponsesCaller().decode_request(json.dumps(body).encode())
    return target[0].prepare(request, model=target[1], strict=strict)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_search_beside_the_callers_own_tools_is_left_out_and_told(target: tuple[Target, str]) -> None:
    found = prepared(target, tools=[SHELL, SEARCH], tool_choice="auto")
    assert [loss.path for loss in found.losses] == ["tools[1]"]
    assert b"shell" in found.body
    assert b"search" not in found.body


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize(
    "members",
    [
        {"tools": [SEARCH]},
        {"tools": [SHELL, SEARCH], "tool_choice": {"type": "web_search"}},
        {"tools": [SHELL, SEARCH], "tool_choice": "required"},
        {"tools": [SHELL, {"type": "code_interpreter", "container": {"type": "auto"}}]},
    ],
    ids=["alone", "named", "required", "another tool"],
)
def test_what_the_caller_cannot_spare_is_refused(target: tuple[Target, str], members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prepared(target, **members)
    assert (caught.value.param or "").startswith(("tools[", "tool_choice"))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_strict_caller_is_refused_it(target: tuple[Target, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prepared(target, strict=True, tools=[SHELL, SEARCH])
    assert caught.value.param == "tools[1]"


def test_whoever_has_the_tool_gets_it() -> None:
    found = prepared((ResponsesTarget(), "gpt-5"), tools=[SHELL, SEARCH])
    assert json.loads(found.body)["tools"][1] == SEARCH
