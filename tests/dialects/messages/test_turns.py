"""The order of a Chat conversation, as the Messages API accepts it."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import (
    HAIKU_4_5,
    OPUS_4_6,
    OPUS_4_8,
    OPUS_5_5,
    USER,
    WEATHER,
    assistant,
    call,
    encode,
    losses,
    messages_of,
    result,
    said,
    sent,
    system,
    text,
    tool_result,
    tool_use,
)

# --- the system prompt


def test_t01_all_leading_system_and_developer_messages_are_the_system_prompt() -> None:
    body = sent(messages=[system("A"), system([text("B"), text("C")], "developer"), USER])
    assert body["system"] == [text("A"), text("B"), text("C")]
    assert body["messages"] == [said("user", text("Hi"))]


def test_an_empty_system_prompt_is_left_out() -> None:
    assert "system" not in sent(messages=[system(" "), USER])


def test_a_picture_in_the_system_prompt_is_refused() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with pytest.raises(InvalidRequest) as caught:
        encode(messages=[system([text("A"), part]), USER])
    assert caught.value.param == "messages[0].content[1]"


@pytest.mark.parametrize("model", [HAIKU_4_5, OPUS_4_8, OPUS_5_5])
def test_t02_a_system_message_in_the_middle_never_changes_the_system_prompt(model: str) -> None:
    start = [system("A"), USER, {"role": "assistant", "content": "Yes"}, USER]
    assert sent(model, messages=start)["system"] == sent(model, messages=[*start, system("B")])["system"]


WRAPPED = text("<system>\nS\n</system>")
PLACES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("after the user, at the end", [USER, system("S")], [said("user", text("Hi")), said("system", text("S"))]),
    (
        "between user and assistant",
        [USER, system("S"), assistant(content="A"), USER],
        [said("user", text("Hi")), said("system", text("S")), said("assistant", text("A")), said("user", text("Hi"))],
    ),
    (
        "several count as one",
        [USER, system("S"), system("T", "developer")],
        [said("user", text("Hi")), said("system", text("S"), text("T"))],
    ),
    ("before the user", [USER, system("S"), USER], [said("user", text("Hi"), WRAPPED, text("Hi"))]),
    (
        "after the assistant",
        [USER, assistant(content="A"), system("S")],
        [said("user", text("Hi")), said("assistant", text("A")), said("user", WRAPPED)],
    ),
    (
        "after results",
        [USER, assistant(call("a")), result("a"), system("S")],
        [
            said("user", text("Hi")),
            said("assistant", tool_use("a", city="SF")),
            said("user", tool_result("a")),
            said("system", text("S")),
        ],
    ),
    (
        "between a call and its result",
        [USER, assistant(call("a")), system("S"), result("a")],
        [
            said("user", text("Hi")),
            said("assistant", tool_use("a", city="SF")),
            said("user", tool_result("a"), WRAPPED),
        ],
    ),
]


@pytest.mark.parametrize(("messages", "expected"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_t03_a_system_message_stands_only_where_the_api_takes_it(
    messages: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    assert messages_of(*messages, model=OPUS_4_8) == expected


def test_a_model_without_system_turns_reads_them_as_the_users() -> None:
    assert messages_of(USER, system("S"), model=HAIKU_4_5) == [said("user", text("Hi"), WRAPPED)]
    assert losses(messages=[USER, system("S")]) == {"messages[1]": "adapt"}


# --- order


def test_t04_results_of_parallel_calls_are_one_message_in_the_order_of_the_calls() -> None:
    messages = messages_of(USER, assistant(call("a"), call("b", "get_time")), result("b", "2"), result("a", "1"))
    assert messages[2:] == [said("user", tool_result("a", "1"), tool_result("b", "2"))]


def test_t05_results_stand_before_whatever_the_user_says() -> None:
    messages = messages_of(USER, assistant(call("a"), call("b")), result("a"), USER, result("b"), USER)
    assert messages[2:] == [said("user", tool_result("a"), tool_result("b"), text("Hi"), text("Hi"))]


def test_neighbours_of_one_role_are_merged_without_anything_between() -> None:
    messages = messages_of(USER, USER, assistant(content="A"), assistant(content="B"), USER)
    assert messages == [
        said("user", text("Hi"), text("Hi")),
        said("assistant", text("A"), text("B")),
        said("user", text("Hi")),
    ]


def test_a_conversation_that_the_assistant_begins_gets_a_first_turn() -> None:
    assert messages_of(assistant(content="A"), USER)[0] == said("user", text("."))


UNANSWERED: list[tuple[str, list[dict[str, Any]], str, str]] = [
    ("no result at all", [USER, assistant(call("a"))], "messages[1].tool_calls[0]", "'a'"),
    ("one of two", [USER, assistant(call("a"), call("b")), result("a")], "messages[1].tool_calls[1]", "'b'"),
    (
        "too late",
        [USER, assistant(call("a")), USER, assistant(content="A"), result("a")],
        "messages[1].tool_calls[0]",
        "'a'",
    ),
    ("no call", [USER, result("z")], "messages[1]", "'z'"),
    ("twice", [USER, assistant(call("a")), result("a"), result("a")], "messages[2]", "'a'"),
]


@pytest.mark.parametrize(
    ("messages", "path", "named"), [row[1:] for row in UNANSWERED], ids=[row[0] for row in UNANSWERED]
)
def test_t86_calls_and_results_that_do_not_match_are_refused_by_name(
    messages: list[dict[str, Any]], path: str, named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named) as caught:
        encode(messages=messages, tools=[WEATHER])
    assert caught.value.param == path


def test_t67_a_prefill_goes_to_models_that_continue_it_and_no_others() -> None:
    messages = [USER, assistant(content="The answer is  \n")]
    assert messages_of(*messages, model=HAIKU_4_5)[1] == said("assistant", text("The answer is"))
    with pytest.raises(InvalidRequest) as caught:
        encode(OPUS_4_6, messages=messages)
    assert (caught.value.param, caught.value.code) == ("messages[1]", "unsupported_value")
