"""Thinking that a Chat caller sends back: exactly as it was, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.messages.send import (
    CLOCK,
    OPUS_5_5,
    SONNET_4,
    USER,
    WEATHER,
    assistant,
    call,
    encode,
    messages_of,
    result,
    said,
    sent,
    text,
    tool_use,
)

# --- thinking that comes back


FORMAT = "anthropic-claude-v1"


def thought(value: str, signature: str | None = "S", index: int = 0, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": value, "signature": signature, "format": FORMAT, "index": index} | members


def thinking(value: str, signature: str = "S") -> dict[str, str]:
    return {"type": "thinking", "thinking": value, "signature": signature}


def test_signed_thinking_comes_before_text_and_calls() -> None:
    details = [
        thought("B", "S2", 1),
        thought("A", "S1", 0),
        {"type": "reasoning.encrypted", "data": "X", "format": FORMAT, "index": 2},
    ]
    messages = messages_of(USER, assistant(call("a"), content="T", reasoning_details=details), result("a"))
    assert messages[1] == said(
        "assistant",
        thinking("A", "S1"),
        thinking("B", "S2"),
        {"type": "redacted_thinking", "data": "X"},
        text("T"),
        tool_use("a", city="SF"),
    )


def test_the_fragments_of_a_stream_are_one_piece_of_thinking() -> None:
    fragments = [thought("Hm", None), thought("m.", None), thought("", "S")]
    # as official clients join them: all texts added up
    joined = [thought("Hmm.", "S") | {"format": FORMAT * 3}]
    for details in (fragments, joined):
        assert messages_of(USER, assistant(content="T", reasoning_details=details), USER)[1] == said(
            "assistant", thinking("Hmm."), text("T")
        )


def test_t56_withheld_thinking_keeps_its_place_and_its_signature() -> None:
    details = [thought("", "S1", 0), thought("", "S2", 1, position=2)]
    messages = messages_of(USER, assistant(call("a"), call("b"), reasoning_details=details), result("a"), result("b"))
    assert messages[1] == said(
        "assistant", thinking("", "S1"), tool_use("a", city="SF"), thinking("", "S2"), tool_use("b", city="SF")
    )


def test_thinking_as_blocks_is_taken_too() -> None:
    blocks = [thinking("A"), {"type": "redacted_thinking", "data": "X"}]
    assert messages_of(USER, assistant(content="T", thinking_blocks=blocks), USER)[1] == said(
        "assistant", *blocks, text("T")
    )


UNSIGNED: list[tuple[str, dict[str, Any]]] = [
    ("text alone", {"reasoning_content": "Hmm"}),
    ("the other name", {"reasoning": "Hmm"}),
    ("no signature", {"reasoning_details": [thought("Hmm", None)]}),
    ("an empty signature", {"reasoning_details": [thought("Hmm", "")]}),
    ("another vendor's", {"reasoning_details": [thought("Hmm", "S") | {"format": "openai-responses-v1"}]}),
    ("no vendor's", {"reasoning_details": [thought("Hmm", "S") | {"format": None}]}),
]


@pytest.mark.parametrize("members", [row[1] for row in UNSIGNED], ids=[row[0] for row in UNSIGNED])
def test_t95_thinking_that_is_not_signed_by_its_maker_is_neither_sent_nor_shown_as_text(
    members: dict[str, Any],
) -> None:
    body = encode(messages=[USER, assistant(content="T", **members), USER]).body
    assert b"Hmm" not in body
    assert b"thinking" not in body


def test_a_hole_in_the_chain_takes_all_thinking_before_it_along() -> None:
    kept = assistant(content="3", reasoning_details=[thought("C")])
    broken = assistant(content="2", reasoning_details=[thought("B", None)])
    first = assistant(content="1", reasoning_details=[thought("A")])
    messages = messages_of(USER, first, USER, broken, USER, kept, USER)
    assert [
        block["type"] for message in messages for block in message["content"] if message["role"] == "assistant"
    ] == [
        *("text", "text", "thinking", "text"),
    ]


def test_another_vendors_turn_is_no_hole() -> None:
    foreign = assistant(content="2", reasoning_details=[thought("B", None) | {"format": "xai-responses-v1"}])
    messages = messages_of(USER, assistant(content="1", reasoning_details=[thought("A")]), USER, foreign, USER)
    assert messages[1] == said("assistant", thinking("A"), text("1"))


def test_a_model_that_does_not_think_is_not_sent_thinking() -> None:
    signed = assistant(content="1", reasoning_details=[thought("A")])
    assert messages_of(USER, signed, USER, model="claude-3-5-sonnet-20241022")[1] == said("assistant", text("1"))


def test_blocks_that_the_provider_alone_knows_come_back_as_they_were() -> None:
    block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    own = assistant(content="T", provider_blocks=[{"dialect": "messages", "block": block}])
    foreign = assistant(content="T", provider_blocks=[{"dialect": "gemini", "block": {"type": "x"}}])
    assert messages_of(USER, own, USER)[1] == said("assistant", block, text("T"))
    assert messages_of(USER, foreign, USER)[1] == said("assistant", text("T"))


def test_tools_stay_where_leaving_some_out_would_invalidate_thinking() -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    history = [USER, assistant(call("a"), reasoning_details=[thought("A")]), result("a")]
    tools = [WEATHER, CLOCK]
    assert len(sent(OPUS_5_5, messages=history, tools=tools, tool_choice=choice)["tools"]) == 2
    assert len(sent(SONNET_4, messages=history, tools=tools, tool_choice=choice)["tools"]) == 1
