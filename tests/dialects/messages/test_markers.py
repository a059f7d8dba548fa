"""Cache breakpoints: where they stand, how long they live, how many there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.messages.send import (
    USER,
    WEATHER,
    assistant,
    call,
    losses,
    messages_of,
    result,
    said,
    sent,
    system,
    text,
)

# --- cache markers


MARK = {"type": "ephemeral"}


def marked(value: str, **control: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, "cache_control": MARK | control}


def test_a_marker_stays_on_its_block() -> None:
    body = sent(
        messages=[system([marked("S", ttl="1h")]), {"role": "user", "content": [marked("A"), text("B")]}],
        tools=[WEATHER | {"cache_control": MARK}],
    )
    assert body["system"] == [marked("S", ttl="1h")]
    assert body["messages"][0]["content"] == [marked("A"), text("B")]
    assert body["tools"][0]["cache_control"] == MARK


@pytest.mark.parametrize(
    ("breakpoint_", "options", "expected"),
    [
        ({"mode": "explicit"}, None, MARK),
        ({"mode": "explicit"}, {"ttl": "30m"}, MARK | {"ttl": "1h"}),
        ({"mode": "explicit", "ttl": "12h"}, {"ttl": "30m"}, MARK | {"ttl": "1h"}),
    ],
)
def test_a_breakpoint_lives_at_least_as_long_as_was_promised(
    breakpoint_: dict[str, str], options: dict[str, str] | None, expected: dict[str, str]
) -> None:
    part = text("A") | {"prompt_cache_breakpoint": breakpoint_}
    members = {"prompt_cache_options": options} if options else {}
    messages = messages_of({"role": "user", "content": [part]}, **members)
    assert messages[0]["content"][0]["cache_control"] == expected


def test_a_messages_marker_is_on_its_last_block() -> None:
    content = messages_of({"role": "user", "content": [text("A"), text("B")], "cache_control": MARK})[0]["content"]
    assert content == [text("A"), marked("B")]
    assert (
        messages_of(USER, assistant(call("a")), result("a", cache_control=MARK))[2]["content"][0]["cache_control"]
        == MARK
    )


def test_t62_of_too_many_markers_those_on_tools_and_system_stay_and_the_latest() -> None:
    users = [{"role": "user", "content": [marked(str(n))]} for n in range(4)]
    members = {"messages": [system([marked("S")]), *users], "tools": [WEATHER | {"cache_control": MARK}]}
    body = sent(**members)
    assert "cache_control" in body["tools"][0]
    assert "cache_control" in body["system"][0]
    kept = [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block]
    assert kept == ["2", "3"]
    assert losses(**members) == {"messages[1].content[0]": "drop", "messages[2].content[0]": "drop"}


def test_a_marker_on_an_empty_text_goes_with_it() -> None:
    assert messages_of({"role": "user", "content": [marked(""), text("B")]}) == [said("user", text("B"))]


def test_the_marker_that_the_api_sets_by_itself_counts_too() -> None:
    users = [{"role": "user", "content": [marked(str(n))]} for n in range(4)]
    body = sent(messages=users, cache_control=MARK)
    assert body["cache_control"] == MARK
    assert [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block] == ["1", "2", "3"]
