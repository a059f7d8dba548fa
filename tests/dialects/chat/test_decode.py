"""Chat requests that cannot be read say where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.errors import InvalidRequest

USER = {"role": "user", "content": "Hi"}


def read(**members: Any) -> Any:
    return decode_request(json.dumps({"model": "x", "messages": [USER]} | members).encode())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "user", "content": [{"type": 3}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "pirate", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].tool_call_id"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
        "messages[0].tool_calls[0].id",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        "messages[0].content[0].file.file_data",
    ),
    ({"tools": [{"type": "function", "function": {"name": 3}}]}, "tools[0].function.name"),
    ({"tool_choice": "perhaps"}, "tool_choice"),
    (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [{}]}}},
        "tool_choice.allowed_tools.tools[0]",
    ),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ({"reasoning_effort": 3}, "reasoning_effort"),
    ({"thinking": {"budget_tokens": "x"}}, "thinking.budget_tokens"),
]


@pytest.mark.parametrize(("members", "path"), WRONG)
def test_what_cannot_be_read_is_refused_by_its_path(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**members)
    assert (caught.value.status, caught.value.param) == (400, path)


def test_what_was_not_said_stays_unsaid() -> None:
    request = read(temperature=None, tools=None, stop=None, logit_bias=None, metadata=None, reasoning=None)
    assert request == read()
    assert (request.sampling.temperature, request.sampling.stop, request.thinking.mode) == (None, None, None)
    assert read(stop=[]).sampling.stop == ()
    assert read(temperature=0).sampling.temperature == 0


def test_every_field_that_was_given_has_its_name_with_it() -> None:
    request = read(max_tokens=1, max_completion_tokens=2, user="u", made_up=1, functions=[])
    assert request.paths["max_output_tokens"] == "max_completion_tokens"
    assert request.paths["end_user"] == "user"
    assert request.paths["tools"] == "functions"
    assert request.extras.keys() == {"made_up"}
