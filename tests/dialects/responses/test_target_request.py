"""Requests of callers of other formats, as a Responses target gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat import fields as chat_fields
from gaiarouter.dialects.chat.decode import decode_request as decode_chat
from gaiarouter.dialects.messages import fields as messages_fields
from gaiarouter.dialects.messages.decode import decode_request as decode_messages
from gaiarouter.dialects.responses.fields import SLOTS
from gaiarouter.dialects.responses.target import PreparedResponses, ResponsesTarget
from gaiarouter.errors import InvalidRequest

TARGET = ResponsesTarget()
USER = {"role": "user", "content": "Hi"}
ALWAYS = {"model": "gpt-5.5", "store": False, "include": ["reasoning.encrypted_content"]}
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def prepare(model: str = "gpt-5.5", strict: bool = False, **members: Any) -> PreparedResponses:
    body = {"model": "x", "messages": [USER]} | members
    return TARGET.prepare(decode_chat(json.dumps(body).encode()), model=model, strict=strict)


def sent(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prepare(**members).body)
    return found


def items(*messages: dict[str, Any], **members: Any) -> list[Any]:
    found: list[Any] = sent(messages=list(messages), **members)["input"]
    return found


def canonical_slots() -> Iterator[str]:
    for each in msgspec.structs.fields(CanonicalRequest):
        if each.name in ("sampling", "output"):
            yield from (f"{each.name}.{inner.name}" for inner in msgspec.structs.fields(each.type))
        elif each.name not in ("dialect", "extras", "echoed", "paths"):
            yield each.name


def test_every_slot_has_a_rule_and_every_rule_but_a_plain_map_says_why() -> None:
    found = (*chat_fields.TOP_LEVEL.values(), *chat_fields.NESTED.values())
    found += (*messages_fields.TOP_LEVEL.values(), *messages_fields.NESTED.values())
    assert set(canonical_slots()) | {field.slot for field in found} - {None} <= SLOTS.keys()
    assert [slot for slot, rule in SLOTS.items() if rule.kind != "map" and not rule.why] == []


def test_the_least_request_keeps_nothing_and_asks_for_what_must_come_back() -> None:
    assert sent() == {**ALWAYS, "input": [HI]}
    assert sent(model="gpt-4o") == {"model": "gpt-4o", "store": False, "input": [HI]}


def test_settings() -> None:
    schema = {"type": "object", "properties": {}}
    found = sent(
        model="gpt-4.1",
        stream=True,
        max_completion_tokens=99,
        temperature=0.5,
        top_p=0.9,
        logprobs=True,
        top_logprobs=2,
        parallel_tool_calls=False,
        service_tier="flex",
        user="me",
        metadata={"a": "b"},
        verbosity="low",
        prompt_cache_key="k",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
    )
    assert found == {
        "model": "gpt-4.1",
        "input": [HI],
        "stream": True,
        "max_output_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 2,
        "include": ["message.output_text.logprobs"],
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "user": "me",
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}, "verbosity": "low"},
        "store": False,
    }


def test_leading_system_messages_are_instructions_and_later_ones_stay_in_place() -> None:
    system, later = {"role": "system", "content": "A"}, {"role": "system", "content": "C"}
    found = sent(messages=[system, {"role": "developer", "content": "B"}, USER, later])
    assert found["instructions"] == "A\n\nB"
    assert found["input"] == [HI, {"type": "message", "role": "developer", "content": [text("C")]}]


def text(value: str) -> dict[str, Any]:
    return {"type": "input_text", "text": value}


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{ "a":1.0}'}}
DETAIL = {"type": "reasoning.encrypted", "data": "E", "format": "openai-responses-v1", "id": "rs_1", "index": 0}
FOREIGN = {"type": "reasoning.text", "text": "T", "signature": "S", "format": "anthropic-claude-v1", "index": 0}


def test_a_tool_loop_with_sealed_thinking() -> None:
    assistant = {"role": "assistant", "content": "Wait", "tool_calls": [CALL], "reasoning_details": [DETAIL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
    assert items(USER, assistant, result)[1:] == [
        {"type": "reasoning", "summary": [], "id": "rs_1", "encrypted_content": "E"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wait", "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{ "a":1.0}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
    ]


def test_t61_thinking_goes_only_to_who_sealed_it_and_never_alone() -> None:
    foreign = {"role": "assistant", "content": "A", "reasoning_details": [FOREIGN]}
    assert [item["type"] for item in items(USER, foreign, USER)] == ["message"] * 3
    alone = {"role": "assistant", "content": None, "reasoning_details": [DETAIL]}
    assert [item["type"] for item in items(USER, alone, USER)] == ["message"] * 2


def test_t105_json_is_named_where_the_api_wants_it_named() -> None:
    wish: dict[str, Any] = {"response_format": {"type": "json_object"}}
    prepared = prepare(**wish)
    told = {"type": "message", "role": "developer", "content": [text("Respond in JSON.")]}
    assert json.loads(prepared.body)["input"] == [told, HI]
    assert [(loss.path, loss.kind) for loss in prepared.losses] == [("response_format", "adapt")]
    assert len(items({"role": "user", "content": "As json, please"}, **wish)) == 1


def test_parts_of_a_message() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    assert items({"role": "user", "content": content})[0]["content"] == [
        {"type": "input_image", "image_url": "https://a/b.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]


def test_tools_say_that_they_are_not_strict_and_names_are_made_legal() -> None:
    long = "x" * 70
    tools = [{"type": "function", "function": {"name": name}} for name in ("get.it", "get_it", long)]
    tools.append({"type": "custom", "custom": {"name": "c"}})
    choice = {"type": "function", "function": {"name": "get.it"}}
    found = sent(tools=tools, tool_choice=choice)
    names = [tool["name"] for tool in found["tools"]]
    assert names == ["get_it_2", "get_it", "x" * 64, "c"]
    assert found["tools"][0] == {
        "type": "function",
        "name": "get_it_2",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    assert found["tools"][3] == {"type": "custom", "name": "c"}
    assert found["tool_choice"] == {"type": "function", "name": "get_it_2"}
    body = {"id": "r", "status": "completed", "output": [{"type": "function_call", "call_id": "c", "name": "get_it_2"}]}
    (part,) = prepare(tools=tools).decode_answer(json.dumps(body).encode()).choices[0].parts
    assert part.name == "get.it"  # type: ignore[union-attr]


def test_allowed_tools_and_custom_calls() -> None:
    custom = {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}
    allowed = {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "c"}}]}
    found = sent(tools=[custom], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert found["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "custom", "name": "c"}],
    }
    call = {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "c", "input": "1+1"}}]}
    assert [item["type"] for item in items(USER, call, {"role": "tool", "tool_call_id": "1", "content": "2"})] == [
        "message",
        "custom_tool_call",
        "custom_tool_call_output",
    ]


def test_a_long_id_is_cut_the_same_way_in_both_places() -> None:
    ids = [f"{'i' * 70}{n}" for n in range(2)]
    calls = [CALL | {"id": each} for each in ids]
    results = [{"role": "tool", "tool_call_id": each, "content": ""} for each in ids]
    found = [item["call_id"] for item in items(USER, {"role": "assistant", "tool_calls": calls}, *results)[1:]]
    assert found[:2] == found[2:]
    assert len(set(found)) == 2
    assert max(map(len, found)) <= 64


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"reasoning_effort": "high"}, {"effort": "high"}),
        ({"reasoning_effort": "none"}, {"effort": "none"}),
        ({"reasoning": {"max_tokens": 5000}}, {"effort": "medium", "summary": "auto"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 99999}}, {"effort": "xhigh"}),
        ({}, None),
    ],
)
def test_thinking(members: dict[str, Any], expected: Any) -> None:
    assert sent(**members).get("reasoning") == expected
    assert "reasoning" not in sent(model="gpt-4o", **members)


LOST: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"seed": 1, "top_k": 3, "logit_bias": {"1": 1}}, [("top_k", "drop"), ("seed", "drop"), ("logit_bias", "drop")]),
    ({"frequency_penalty": 0, "n": 1}, []),
    ({"max_tokens": 5}, [("max_tokens", "adapt")]),
    ({"temperature": 0.5}, [("temperature", "drop")]),
    ({"temperature": 0.5, "reasoning_effort": "none"}, []),
    ({"temperature": 0.5, "model": "gpt-4o"}, []),
    ({"reasoning_effort": "high", "model": "gpt-4o"}, [("reasoning_effort", "drop")]),
]


@pytest.mark.parametrize(("members", "losses"), LOST)
def test_what_is_lost_is_told_and_refused_to_the_strict(members: dict[str, Any], losses: list[tuple[str, str]]) -> None:
    assert [(loss.path, loss.kind) for loss in prepare(**members).losses] == losses
    if losses:
        with pytest.raises(InvalidRequest):
            prepare(strict=True, **members)


ASSISTANT = {"role": "assistant", "tool_calls": [CALL]}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"stop": ["x"]}, "stop"),
    ({"background": True}, "background"),
    ({"modalities": ["audio"], "audio": {"voice": "a"}}, "modalities"),
    ({"messages": [USER, ASSISTANT, USER]}, "messages[1].tool_calls[0]"),
    ({"messages": [USER, {"role": "tool", "tool_call_id": "c", "content": "x"}]}, "messages[1]"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
    (
        {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": "https://a"}]}]},
        "messages[0].content[0]",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "files/1"}}]}]},
        "messages[0].content[0]",
    ),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
]


@pytest.mark.parametrize(("members", "path"), REFUSED)
def test_what_cannot_be_done_is_refused_by_the_callers_name_of_it(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prepare(**members)
    assert caught.value.param == path


def test_t06_pictures_in_results_and_errors_of_tools() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [picture]}
    body = {
        "model": "x",
        "max_tokens": 99,
        "messages": [
            USER,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
        ],
    }
    prepared = TARGET.prepare(decode_messages(json.dumps(body).encode()), model="gpt-5.5", strict=False)
    assert json.loads(prepared.body)["input"][2:] == [
        {
            "type": "function_call_output",
            "call_id": "t1",
            "output": [text("Error:"), {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}],
        },
        {"type": "message", "role": "user", "content": [text("So?")]},
    ]


def test_t12_a_longer_conversation_begins_as_the_shorter_one() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
    turns: list[dict[str, Any]] = [USER, ASSISTANT, result, {"role": "assistant", "content": "42"}, USER]
    short, long = items(*turns[:3]), items(*turns)
    assert long[: len(short)] == short
