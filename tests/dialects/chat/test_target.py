"""What a target that speaks Chat gets from callers of other formats, and what they are told of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.parts import Base64, Document, ToolCall
from gaiarouter.canonical.request import CanonicalRequest, Turn
from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.profile import ANY_SERVER, ChatProfile
from gaiarouter.dialects.chat.target import ChatTarget, PreparedChat
from gaiarouter.dialects.messages.decode import decode_request
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES

OPENAI, MISTRAL, DEEPSEEK = (PROFILES[name].chat for name in ("openai", "mistral", "deepseek"))
HI = {"role": "user", "content": "Hi"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}


def prepared(
    profile: ChatProfile = ANY_SERVER, model: str = "m", *, strict: bool = False, **members: Any
) -> PreparedChat:
    """A request of a Messages caller's, as the target gets it."""
    body = {"model": "x", "max_tokens": 9, "messages": [HI]} | members
    request = decode_request(json.dumps(body).encode())
    return ChatTarget(profile, CapabilityTable()).prepare(request, model=model, strict=strict)


def sent(profile: ChatProfile = ANY_SERVER, model: str = "m", **members: Any) -> Any:
    return json.loads(prepared(profile, model, **members).body)


def used(*ids: str) -> dict[str, Any]:
    blocks = [{"type": "tool_use", "id": each, "name": "f", "input": {"a": 1}} for each in ids]
    return {"role": "assistant", "content": blocks}


def result(call_id: str, content: Any = "ok", **members: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **members}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def test_the_smallest_request_is_as_small_as_it_can_be() -> None:
    assert sent() == {"model": "m", "messages": [HI], "max_tokens": 9}


def test_t05_results_come_first_and_in_the_order_of_their_calls_then_the_users_words() -> None:
    text = {"type": "text", "text": "And now?"}
    messages = sent(messages=[HI, used("a", "b"), user(text, result("b", "2"), result("a", "1"))])["messages"]
    assert [(message["role"], message["content"]) for message in messages[2:]] == [
        ("tool", "1"),
        ("tool", "2"),
        ("user", "And now?"),
    ]


def test_t06_a_picture_in_a_result_follows_it_under_its_label() -> None:
    messages = sent(messages=[HI, used("a"), user(result("a", [{"type": "text", "text": "see"}, PNG]))])["messages"]
    label = "[image 1 of tool result a]"
    assert messages[2] == {"role": "tool", "tool_call_id": "a", "content": f"see\n{label}"}
    assert messages[3]["content"] == [
        {"type": "text", "text": label},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]


@pytest.mark.parametrize(("content", "text"), [("no", "Error: no"), ("Error: no", "Error: no"), ("", "Error: ")])
def test_t07_a_result_that_is_an_error_says_so(content: str, text: str) -> None:
    messages = sent(messages=[HI, used("a"), user(result("a", content, is_error=True))])["messages"]
    assert messages[2]["content"] == text


def test_t09_a_turn_of_calls_has_no_content_and_an_empty_result_has_an_empty_one() -> None:
    messages = sent(messages=[HI, used("a"), user(result("a", ""))])["messages"]
    assert messages[1]["content"] is None
    assert messages[2]["content"] == ""


@pytest.mark.parametrize("turns", [[used("a")], [used("a"), user(result("b"))], [used("a", "b"), user(result("a"))]])
def test_t86_calls_and_results_that_do_not_match_are_refused(turns: list[Any]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        sent(messages=[HI, *turns, HI])
    assert raised.value.param is not None
    assert raised.value.param.startswith("messages[")


def test_t28_ids_are_what_the_server_takes_and_the_same_for_call_and_result() -> None:
    long = "toolu.vrtx." + "x" * 64
    messages = sent(MISTRAL, messages=[HI, used(long), user(result(long))])["messages"]
    made = messages[1]["tool_calls"][0]["id"]
    assert made == messages[2]["tool_call_id"]
    assert len(made) == 9
    assert made.isalnum()
    assert len(sent(OPENAI, messages=[HI, used(long), user(result(long))])["messages"][2]["tool_call_id"]) <= 40


def test_t29_names_that_are_too_long_come_back_as_they_were() -> None:
    names = ["n" * 70 + "1", "n" * 70 + "2", "with.dot"]
    target = prepared(tools=[TOOL | {"name": name} for name in names])
    wire = [tool["function"]["name"] for tool in json.loads(target.body)["tools"]]
    assert len(set(wire)) == 3
    assert all(len(name) <= 64 and name.replace("_", "").isalnum() for name in wire)
    calls = [
        {"id": str(n), "type": "function", "function": {"name": each, "arguments": "{}"}} for n, each in enumerate(wire)
    ]
    choice = {"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}
    answer = json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode()
    parts = target.decode_answer(answer).choices[0].parts
    assert [part.name for part in parts if isinstance(part, ToolCall)] == names


def test_t90_a_clients_books_do_not_reach_the_model() -> None:
    system = [{"type": "text", "text": "x-anthropic-billing-header: a=1;"}, {"type": "text", "text": "P"}]
    assert sent(system=system)["messages"][0] == {"role": "system", "content": "P"}


def test_t92_stop_sequences_are_as_many_as_the_server_takes() -> None:
    target = prepared(OPENAI, "gpt-4o", stop_sequences=["1", "2", "3", "4", "5"])
    assert json.loads(target.body)["stop"] == ["1", "2", "3", "4"]
    assert [loss.path for loss in target.losses] == ["stop_sequences"]


@pytest.mark.parametrize(
    ("model", "members", "kept"),
    [
        ("gpt-4o", {"temperature": 0.5}, True),
        ("gpt-5.6", {"temperature": 0.5}, False),
        ("gpt-5.2", {"temperature": 0.5}, True),
        ("gpt-5.2", {"temperature": 0.5, "output_config": {"effort": "high"}}, False),
        ("gpt-5.6", {"temperature": 0.5, "thinking": {"type": "disabled"}}, True),
        ("openai/o3", {"temperature": 0.5}, False),
        ("somebodys-own", {"temperature": 0.5, "output_config": {"effort": "high"}}, True),
    ],
)
def test_t85_sampling_goes_only_to_models_that_take_it(model: str, members: dict[str, Any], kept: bool) -> None:
    target = prepared(OPENAI, model, **members)
    assert ("temperature" in json.loads(target.body)) == kept
    assert ([loss.path for loss in target.losses] == []) == kept


@pytest.mark.parametrize(
    ("profile", "members", "said"),
    [
        (OPENAI, {"output_config": {"effort": "max"}}, {"reasoning_effort": "max"}),
        (OPENAI, {"thinking": {"type": "enabled", "budget_tokens": 8000}}, {"reasoning_effort": "medium"}),
        (OPENAI, {"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        (OPENAI, {"thinking": {"type": "adaptive"}}, {}),
        (DEEPSEEK, {"thinking": {"type": "adaptive"}}, {"thinking": {"type": "enabled"}}),
        (DEEPSEEK, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (PROFILES["openrouter"].chat, {"thinking": {"type": "enabled", "budget_tokens": 2000}},
         {"reasoning": {"max_tokens": 2000}}),
        (PROFILES["openrouter"].chat, {"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}),
    ],
)  # fmt: skip
def test_the_wish_to_think_is_told_as_each_server_understands_it(
    profile: ChatProfile, members: dict[str, Any], said: dict[str, Any]
) -> None:
    body = sent(profile, **members)
    assert {name: body[name] for name in ("reasoning_effort", "thinking", "reasoning") if name in body} == said


def test_t60_thinking_goes_back_beside_calls_where_the_server_demands_it() -> None:
    wrapped = {"type": "thinking", "thinking": "Hm", "signature": "gw1.e30"}
    turn = {"role": "assistant", "content": [wrapped, *used("a")["content"]]}
    messages = sent(DEEPSEEK, messages=[HI, turn, user(result("a"))])["messages"]
    assert messages[1]["reasoning_content"] == "Hm"
    lost = sent(DEEPSEEK, messages=[HI, used("a"), user(result("a"))])["messages"]
    assert lost[1]["reasoning_content"] == ""


def test_t95_thinking_of_another_provider_reaches_nobody() -> None:
    signed = {"type": "thinking", "thinking": "secret", "signature": "EqQB"}
    turn = {"role": "assistant", "content": [signed, {"type": "text", "text": "So"}]}
    for profile in (OPENAI, MISTRAL, DEEPSEEK):
        assert b"secret" not in prepared(profile, messages=[HI, turn, HI]).body


@pytest.mark.parametrize(
    ("profile", "members", "expected"),
    [
        (MISTRAL, {"tool_choice": {"type": "none"}}, None),
        (OPENAI, {"tool_choice": {"type": "none"}}, "none"),
        (OPENAI, {"tool_choice": {"type": "any"}}, "required"),
        (OPENAI, {"tool_choice": {"type": "tool", "name": "f"}}, {"type": "function", "function": {"name": "f"}}),
        (PROFILES["ollama"].chat, {"tool_choice": {"type": "any"}}, "auto"),
    ],
)
def test_t14_the_choice_of_tools_in_each_servers_words(profile: ChatProfile, members: Any, expected: Any) -> None:
    assert sent(profile, tools=[TOOL], **members).get("tool_choice") == expected


def test_one_call_at_a_time_is_asked_for_where_that_is_known() -> None:
    members: Any = {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert sent(OPENAI, **members)["parallel_tool_calls"] is False
    target = prepared(**members)
    assert "parallel_tool_calls" not in json.loads(target.body)
    assert target.losses == (
        Loss("tool_choice.disable_parallel_tool_use", "drop", "the provider cannot be told to call one tool at a time"),
    )


def test_mistral_gets_a_turn_between_results_and_the_users_words() -> None:
    text = {"type": "text", "text": "Go on"}
    messages = sent(MISTRAL, messages=[HI, used("a"), user(result("a"), text)])["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]


def test_t67_a_prefill_is_refused_marked_or_sent() -> None:
    turns = [HI, {"role": "assistant", "content": "It is"}]
    assert sent(messages=turns)["messages"][1] == turns[1]
    assert sent(MISTRAL, messages=turns)["messages"][1]["prefix"] is True
    with pytest.raises(InvalidRequest, match="prefill"):
        sent(OPENAI, messages=turns)


def test_a_schema_is_enforced_or_told() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    members = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    wanted = {"name": "response", "schema": schema, "strict": True}
    assert sent(OPENAI, **members)["response_format"] == {"type": "json_schema", "json_schema": wanted}
    told = sent(DEEPSEEK, **members)
    assert told["response_format"] == {"type": "json_object"}
    assert json.dumps(schema, separators=(",", ":")) in told["messages"][0]["content"].replace(": ", ":").replace(
        ", ", ","
    )


def test_a_document_of_text_is_told_with_its_title() -> None:
    block = {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "D"}}
    assert sent(messages=[user(block)])["messages"][0]["content"] == "T\nD"


def with_file(media_type: str, data: str) -> Any:
    """What OpenAI's format is told of a file whose bytes a caller of another format sent."""
    part = Document(source=Base64(media_type, data), filename="a.csv", path="contents[0].parts[0]")
    request = CanonicalRequest(dialect="gemini", model="m", turns=(Turn(role="user", parts=(part,)),))
    target = ChatTarget(OPENAI, CapabilityTable()).prepare(request, model="gpt-5", strict=False)
    return json.loads(target.body)["messages"][0]["content"]


def test_a_file_of_text_is_told_as_text_with_its_name() -> None:
    assert with_file("text/csv", "w6QsYg==") == "a.csv\nä,b"


def test_a_file_of_text_that_is_none_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidRequest, match="UTF-8") as raised:
        with_file("text/csv", "/w==")
    assert raised.value.param == "contents[0].parts[0]"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "container_upload", "file_id": "f"},
    ],
)
def test_t91_a_part_that_cannot_be_told_is_refused_by_its_path(block: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        sent(messages=[user({"type": "text", "text": "x"}, block)])
    assert raised.value.param == "messages[0].content[1]"


def test_a_strict_caller_is_refused_what_would_be_adapted() -> None:
    with pytest.raises(InvalidRequest) as raised:
        prepared(OPENAI, "gpt-4o", strict=True, top_k=5)
    assert raised.value.param == "top_k"
