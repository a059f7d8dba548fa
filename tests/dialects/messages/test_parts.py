"""Content, calls and results of Chat messages, as the Messages API accepts them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import (
    CLOCK,
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
    text,
    tool_result,
    tool_use,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4 x").decode()


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
    (f"data:image/png; BASE64,{PNG}", {"type": "base64", "media_type": "image/png", "data": PNG}),
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
