"""Messages of a Chat request as the Messages API accepts them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import (
    CLOCK,
    HAIKU_4_5,
    OPUS_4_6,
    OPUS_4_8,
    OPUS_5_5,
    SONNET_4,
    USER,
    WEATHER,
    assistant,
    call,
    encode,
    losses,
    messages_of,
    result,
    sent,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4 x").decode()


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def said(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def system(value: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": value}


def tool_use(id_: str, name: str = "get_weather", **input_: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": input_}


def tool_result(id_: str, content: Any = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content}


# --- the system prompt


def test_t01_all_leading_system_and_developer_messages_are_the_system_prompt() -> None:
    body = sent(messages=[system("A"), system([text("B"), text("C")], "developer"), USER])
    assert body["system"] == [text("A"), text("B"), text("C")]
    assert body["messages"] == [said("user", text("Hi"))]


def test_an_empty_system_prompt_is_left_out() -> None:
    assert "system" not in sent(messages=[system(" "), USER])


def test_a_picture_in_the_system_prompt_is_refused() -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
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


# --- content


@pytest.mark.parametrize("empty", ["", " ", [], [{"type": "text", "text": ""}], None])
def test_t08_empty_text_never_becomes_a_block(empty: Any) -> None:
    messages = messages_of(USER, assistant(content=empty), {"role": "user", "content": empty}, USER)
    assert messages == [said("user", text("Hi"), text("Hi"))]


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_t09_an_empty_result_is_kept_and_a_call_has_no_text_beside_it(content: Any) -> None:
    messages = messages_of(USER, assistant(call("a"), content=""), result("a", content))
    assert messages[1:] == [said("assistant", tool_use("a", city="SF")), said("user", tool_result("a", ""))]


IMAGES: list[tuple[str, dict[str, str]]] = [
    (f"data:image/png;base64,{PNG}", {"type": "base64", "media_type": "image/png", "data": PNG}),
    (f"DATA:image/jpg;charset=utf-8;base64,{PNG}", {"type": "base64", "media_type": "image/jpeg", "data": PNG}),
    (f"data:image/webp;base64,{PNG[:9]}\n {PNG[9:]}", {"type": "base64", "media_type": "image/webp", "data": PNG}),
    (f"data:;base64,{PNG}", {"type": "base64", "media_type": "image/png", "data": PNG}),
    (
        "data:image/gif,GIF89a%01",
        {"type": "base64", "media_type": "image/gif", "data": base64.b64encode(b"GIF89a\x01").decode()},
    ),
    ("https://example.com/a.png", {"type": "url", "url": "https://example.com/a.png"}),
]


@pytest.mark.parametrize(("url", "source"), IMAGES)
def test_t10_a_picture_is_read_from_every_form_of_url(url: str, source: dict[str, str]) -> None:
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    assert messages_of({"role": "user", "content": [part]}) == [said("user", {"type": "image", "source": source})]


def test_t11_a_provider_that_cannot_fetch_is_not_sent_addresses() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    with pytest.raises(InvalidRequest, match="does not fetch") as caught:
        encode(messages=[{"role": "user", "content": [part]}], target={"fetches_urls": False})
    assert caught.value.param == "messages[0].content[0]"


FILES: list[tuple[dict[str, str], dict[str, Any]]] = [
    (
        {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
        {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
    ),
    (
        {"file_data": PDF, "filename": "a.pdf"},
        {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
    ),
    ({"file_data": PDF}, {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}),
    (
        {"file_data": "data:text/plain;base64," + base64.b64encode("é".encode()).decode(), "filename": "a.txt"},
        {"source": {"type": "text", "media_type": "text/plain", "data": "é"}, "title": "a.txt"},
    ),
    ({"file_id": "file_011"}, {"source": {"type": "file", "file_id": "file_011"}}),
]


@pytest.mark.parametrize(("file", "document"), FILES)
def test_a_file_becomes_a_document(file: dict[str, str], document: dict[str, Any]) -> None:
    messages = messages_of({"role": "user", "content": [{"type": "file", "file": file}]})
    assert messages == [said("user", {"type": "document"} | document)]


PARTS: list[tuple[str, dict[str, Any]]] = [
    ("sound", {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
    ("a film", {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}),
    ("a file of another kind", {"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}}),
    ("a file kept elsewhere", {"type": "file", "file": {"file_id": "file-abc"}}),
    ("a picture of another kind", {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}),
    ("no address", {"type": "image_url", "image_url": {"url": "/etc/passwd"}}),
    ("a file's address", {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}),
    ("something unknown", {"type": "hologram", "hologram": {}}),
]


@pytest.mark.parametrize("part", [row[1] for row in PARTS], ids=[row[0] for row in PARTS])
def test_t91_a_part_that_no_model_takes_is_refused_by_its_path(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(messages=[USER, {"role": "user", "content": [text("A"), part]}])
    assert caught.value.param == "messages[1].content[1]"


def test_a_data_url_that_is_none_is_refused_by_its_path() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}
    with pytest.raises(InvalidRequest) as caught:
        encode(messages=[{"role": "user", "content": [part]}])
    assert caught.value.param == "messages[0].content[0].image_url.url"


def test_t06_pictures_and_documents_in_results_stay_what_they_are() -> None:
    parts = [
        text("see"),
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
    ]
    messages = messages_of(USER, assistant(call("a")), result("a", parts))
    assert [block["type"] for block in messages[2]["content"][0]["content"]] == ["text", "image", "document"]


def test_t07_a_failed_tool_is_told_by_its_flag_and_never_by_its_text() -> None:
    messages = messages_of(
        USER, assistant(call("a"), call("b")), result("a", "x", is_error=True), result("b", "Error: y")
    )
    assert messages[2]["content"] == [tool_result("a", "x") | {"is_error": True}, tool_result("b", "Error: y")]


def test_a_refusal_is_the_assistants_text() -> None:
    assert messages_of(USER, assistant(refusal="No."), USER)[1] == said("assistant", text("No."))


def test_an_authors_name_is_left_out_and_told() -> None:
    named = USER | {"name": "bob"}
    assert messages_of(named) == [said("user", text("Hi"))]
    assert losses(messages=[named]) == {"messages[0].name": "drop"}


# --- calls


ARGUMENTS = [("", "{}"), ("  ", "{}"), ("null", "{}"), ("{}", "{}"), ('{"a": [1, 2]}', '{"a":[1,2]}')]


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS)
def test_t24_a_call_without_arguments_has_an_empty_object(arguments: str, expected: str) -> None:
    body = encode(messages=[USER, assistant(call("a", arguments=arguments)), result("a")]).body.decode()
    assert f'"input":{expected}}}' in body


def test_t25_arguments_that_come_as_an_object_are_taken_as_they_are() -> None:
    odd = {"id": "null", "type": "function", "function": {"name": "get_weather", "arguments": {"b": 1, "a": 2}}}
    assert messages_of(USER, assistant(odd), result("null"))[1] == said("assistant", tool_use("null", b=1, a=2))


def test_t82_arguments_keep_their_numbers_letters_and_order() -> None:
    arguments = '{"b":12345678901234567890123,"c":1.0,"a":"é\\u2028"}'
    body = encode(messages=[USER, assistant(call("a", arguments=arguments)), result("a")]).body.decode()
    assert f'"input":{arguments}' in body


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", '"x"', "1", "{'a': 1}", "NaN"])
def test_arguments_that_are_no_object_are_refused_and_not_mended(arguments: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(messages=[USER, assistant(call("a", arguments=arguments)), result("a")])
    assert caught.value.param == "messages[1].tool_calls[0].function.arguments"


def test_t28_an_id_that_the_api_refuses_is_the_same_legal_one_in_call_and_result() -> None:
    long = "call.1:" + "x" * 64
    messages = messages_of(
        USER, assistant(call(long), call("call_1:" + "x" * 64)), result(long), result("call_1:" + "x" * 64)
    )
    ids = [block["id"] for block in messages[1]["content"]]
    assert ids == ["call_1_" + "x" * 64, "call_1_" + "x" * 64 + "_2"]
    assert [block["tool_use_id"] for block in messages[2]["content"]] == ids


def test_t30_calls_of_one_function_are_told_apart_by_id() -> None:
    messages = messages_of(USER, assistant(call("a"), call("b")), result("b", "B"), result("a", "A"))
    assert messages[2]["content"] == [tool_result("a", "A"), tool_result("b", "B")]


def test_an_old_function_call_and_its_result_belong_together() -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    messages = messages_of(USER, old, {"role": "function", "name": "f", "content": "ok"})
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"]


def test_a_custom_call_is_wrapped_like_its_tool() -> None:
    custom = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    messages = messages_of(USER, assistant(custom), result("a"))
    assert messages[1] == said("assistant", tool_use("a", "sql", input="select 1"))


def test_t14_no_choice_keeps_the_tools_and_a_history_of_calls_gets_some() -> None:
    assert len(sent(tools=[WEATHER, CLOCK], tool_choice="none")["tools"]) == 2
    body = sent(messages=[USER, assistant(call("a"), call("b", "get_time")), result("a"), result("b")])
    assert [tool["name"] for tool in body["tools"]] == ["get_weather", "get_time"]
    assert body["tool_choice"] == {"type": "none"}


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
