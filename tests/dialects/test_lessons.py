"""A refusal that says what a model or a server does not know: the next request is written without it.

The texts are the providers' own, recorded or from their documentation.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.capabilities import CapabilityTable as ChatTable
from gaiarouter.dialects.chat.profile import ANY_SERVER, ChatProfile
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.translate import Target
from gaiarouter.errors import InvalidRequest, Rejected
from gaiarouter.providers import PROFILES
from tests.dialects.messages.send import CLOCK, OPUS_4_6, OPUS_4_7, OPUS_4_8, USER
from tests.dialects.messages.send import decode_request as decode_chat

HI = {"role": "user", "content": "Hi"}


def asked(**members: Any) -> CanonicalRequest:
    return decode_chat(json.dumps({"model": "x", "messages": [USER]} | members).encode())


def refused(message: str, *, param: str | None = None, code: str | None = None) -> bytes:
    error = {"type": "invalid_request_error", "message": message, "param": param, "code": code}
    return json.dumps({"type": "error", "error": error}).encode()


def again(target: Target, request: CanonicalRequest, model: str, answer: bytes) -> tuple[bool, Any]:
    """Whether the refusal taught something, and what is sent then."""
    error = target.prepare(request, model=model, strict=False).read_error(400, {}, answer)
    assert isinstance(error, Rejected)
    assert error.outcome == ("mended" if error.mended else "http_4xx")
    return error.mended, json.loads(target.prepare(request, model=model, strict=False).body)


TEXT = "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."
MESSAGES: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
    ("an effort", OPUS_4_8, {"reasoning_effort": "xhigh"}, TEXT, {"output_config": {"effort": "max"}}),
    (
        "a budget",
        "claude-haiku-4-5",
        {"reasoning_effort": "high", "max_tokens": 20000},
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" instead.',
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
    ),
    (
        "adaptive thinking",
        OPUS_4_6,
        {"reasoning_effort": "high", "max_tokens": 20000},
        "adaptive thinking is not supported on this model",
        {"thinking": {"type": "enabled", "budget_tokens": 16384}},
    ),
    (
        "no thinking",
        OPUS_4_7,
        {"reasoning_effort": "none"},
        '"thinking.type.disabled" is not supported for this model.',
        {"thinking": None, "output_config": {"effort": "low"}},
    ),
    (
        "a forced choice",
        OPUS_4_8,
        {"tools": [CLOCK], "tool_choice": "required"},
        'tool_choice: type "tool" and "any" are not supported for this model',
        {"tool_choice": {"type": "auto"}},
    ),
    (
        "an instruction in the conversation",
        OPUS_4_8,
        {"messages": [USER, {"role": "system", "content": "Rhyme"}]},
        "messages.1: role 'system' is not supported on this model",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hi"},
                        {"type": "text", "text": "<system>\nRhyme\n</system>"},
                    ],
                }
            ]
        },
    ),
    (
        "sampling",
        "claude-haiku-4-5",
        {"temperature": 0.5},
        "`temperature` is not supported for this model",
        {"temperature": None},
    ),
    (
        "as long an answer",
        OPUS_4_8,
        {},
        "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-x",
        {"max_tokens": 64000},
    ),
]


@pytest.mark.parametrize(
    ("model", "members", "text", "then"), [row[1:] for row in MESSAGES], ids=[r[0] for r in MESSAGES]
)
def test_what_claude_refuses_is_written_otherwise(
    model: str, members: dict[str, Any], text: str, then: dict[str, Any]
) -> None:
    taught, body = again(MessagesTarget(CapabilityTable()), asked(**members), model, refused(text))
    assert taught
    assert {name: body.get(name) for name in then} == then


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, TEXT),  # the request had no effort
        ({"reasoning_effort": "xhigh"}, f"messages.0: {TEXT}"),  # quoted from the conversation
        ({"reasoning_effort": "xhigh"}, TEXT.replace("high, low, max, medium", "none that anybody knows")),
        ({"max_tokens": 99}, "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens"),
        ({}, "This model does not support assistant message prefill. The conversation must end with a user message."),
        ({}, "`temperature` is not supported for this model"),
    ],
)
def test_other_refusals_teach_nothing(members: dict[str, Any], text: str) -> None:
    target = MessagesTarget(CapabilityTable())
    before = target.prepare(asked(**members), model=OPUS_4_8, strict=False).body
    taught, body = again(target, asked(**members), OPUS_4_8, refused(text))
    assert not taught
    assert body == json.loads(before)


def test_what_was_learnt_is_of_one_model_and_is_learnt_once() -> None:
    target, request = MessagesTarget(CapabilityTable()), asked(reasoning_effort="xhigh")
    first, second = (target.prepare(request, model=OPUS_4_8, strict=False) for _ in range(2))
    assert all(isinstance(each.read_error(400, {}, refused(TEXT)), Rejected) for each in (first, second))
    other = json.loads(target.prepare(request, model=OPUS_4_7, strict=False).body)
    assert other["output_config"] == {"effort": "xhigh"}
    taught, body = again(target, request, OPUS_4_8, refused(TEXT))
    assert not taught
    assert body["output_config"] == {"effort": "max"}


def test_requests_that_were_under_way_are_mended_too() -> None:
    target, request = MessagesTarget(CapabilityTable()), asked(reasoning_effort="xhigh")
    under_way = [target.prepare(request, model=OPUS_4_8, strict=False) for _ in range(3)]
    assert [each.read_error(400, {}, refused(TEXT)).mended for each in under_way] == [True, True, True]


def test_a_strict_caller_is_told_what_the_model_has_not() -> None:
    target, request = MessagesTarget(CapabilityTable()), asked(reasoning_effort="xhigh")
    assert target.prepare(request, model=OPUS_4_8, strict=True).read_error(400, {}, refused(TEXT)).mended
    with pytest.raises(InvalidRequest) as caught:
        target.prepare(request, model=OPUS_4_8, strict=True)
    assert caught.value.param == "reasoning_effort"


STRICT = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}
SYSTEM = [{"role": "system", "content": "Rhyme"}, USER]
OPENAI = PROFILES["openai"].chat
CHAT: list[tuple[str, ChatProfile, dict[str, Any], bytes, dict[str, Any]]] = [
    (
        "the older limit",
        ANY_SERVER,
        {"max_tokens": 9},
        refused(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        {"max_tokens": None, "max_completion_tokens": 9},
    ),
    (
        "the newer limit",
        OPENAI,
        {"max_tokens": 9},
        refused("Unrecognized request argument supplied: max_completion_tokens"),
        {"max_tokens": 9, "max_completion_tokens": None},
    ),
    (
        "a temperature",
        ANY_SERVER,
        {"temperature": 0.2},
        refused(
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
            "supported.",
            param="temperature",
            code="unsupported_value",
        ),
        {"temperature": None},
    ),
    (
        "the wish for usage",
        ANY_SERVER,
        {"stream": True},
        json.dumps(
            {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "stream_options"],
                        "msg": "Extra inputs are not permitted",
                        "input": {"include_usage": True},
                    }
                ]
            }
        ).encode(),
        {"stream": True, "stream_options": None},
    ),
    (
        "one call at a time",
        PROFILES["groq"].chat,
        {"tools": [CLOCK], "parallel_tool_calls": False},
        refused("property 'parallel_tool_calls' is unsupported"),
        {"parallel_tool_calls": None},
    ),
    (
        "strict functions",
        ANY_SERVER,
        {"tools": [STRICT]},
        refused("Unknown parameter: 'tools[0].function.strict'."),
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    ),
    (
        "an instruction of the system's",
        ANY_SERVER,
        {"messages": SYSTEM},
        refused("Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        {"messages": [{"role": "developer", "content": "Rhyme"}, USER]},
    ),
    (
        "an instruction of the developer's",
        OPENAI,
        {"messages": [{"role": "developer", "content": "Rhyme"}, USER]},
        refused(
            "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
            param="messages[0].role",
            code="unsupported_value",
        ),
        {"messages": SYSTEM},
    ),
    (
        "where to stop",
        ANY_SERVER,
        {"stop": ["x"]},
        refused("Unsupported parameter: 'stop' is not supported with this model.", param="stop"),
        {"stop": None},
    ),
    (
        "an effort",
        ANY_SERVER,
        {"reasoning_effort": "low"},
        refused("Unrecognized request argument supplied: reasoning_effort"),
        {"reasoning_effort": None},
    ),
    (
        "who asks",
        ANY_SERVER,
        {"user": "u"},
        refused("user: Extra inputs are not permitted"),
        {"user": None},
    ),
]


@pytest.mark.parametrize(
    ("profile", "members", "answer", "then"), [row[1:] for row in CHAT], ids=[row[0] for row in CHAT]
)
def test_what_a_server_of_chats_refuses_is_written_otherwise(
    profile: ChatProfile, members: dict[str, Any], answer: bytes, then: dict[str, Any]
) -> None:
    taught, body = again(ChatTarget(profile, ChatTable()), asked(**members), "m", answer)
    assert taught
    assert {name: body.get(name) for name in then} == then


def test_instructions_are_the_users_where_nobody_elses_may_be() -> None:
    target, request = ChatTarget(ANY_SERVER, ChatTable()), asked(messages=[*SYSTEM, {"role": "system", "content": "B"}])
    for role in ("system", "developer"):
        taught, body = again(target, request, "m", refused(f"'messages[0].role' does not support '{role}'"))
        assert taught
    assert body["messages"] == [
        {"role": "user", "content": "<system>\nRhyme\n</system>"},
        USER,
        {"role": "user", "content": "<system>\nB\n</system>"},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        refused("messages[0].content: Unsupported parameter: 'temperature'"),
        refused("Unsupported parameter: 'top_p' is not supported with this model."),  # was not sent
        refused("Unknown parameter: 'messages'."),
        refused("Unknown parameter: 'model'."),
        refused("The temperature is too high"),
        refused(""),
    ],
)
def test_a_server_that_names_nothing_to_leave_out_teaches_nothing(answer: bytes) -> None:
    taught, body = again(ChatTarget(ANY_SERVER, ChatTable()), asked(temperature=0.2), "m", answer)
    assert not taught
    assert body["temperature"] == 0.2
