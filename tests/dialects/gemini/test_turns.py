"""Messages as contents: roles, media, calls and their results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.send import (
    FLASH_2_0,
    FLASH_2_5,
    INLINE_PNG,
    PICTURE,
    PNG,
    PNG_URL,
    SKIP,
    USER,
    WEATHER,
    assistant,
    call,
    called,
    contents,
    encode,
    losses,
    responded,
    result,
    said,
    system,
    text,
)


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def image(url: str, **members: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url} | members}


def file(**members: Any) -> dict[str, Any]:
    return {"type": "file", "file": members}


OWN_FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
FILM = "https://www.youtube.com/watch?v=1"
PARTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "text", "text": "é\u2028"}, text("é\u2028")),
    (PICTURE, INLINE_PNG),
    (image(f"DATA:image/jpg;charset=utf-8;base64,{PNG}"), {"inlineData": {"mimeType": "image/jpeg", "data": PNG}}),
    (image("data:image/svg+xml,%3Csvg/%3E"), {"inlineData": {"mimeType": "image/svg+xml", "data": "PHN2Zy8+"}}),
    (image(PNG_URL, detail="low"), INLINE_PNG | {"mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}),
    (image(PNG_URL, detail="high"), INLINE_PNG | {"mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}),
    (image(PNG_URL, detail="original"), INLINE_PNG),
    (image(PNG_URL, detail="auto"), INLINE_PNG),
    (image(OWN_FILE), {"fileData": {"fileUri": OWN_FILE}}),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
    ),
    ({"type": "video_url", "video_url": {"url": FILM}}, {"fileData": {"fileUri": FILM}}),
    (
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
    ),
    (
        file(file_data="data:application/pdf;base64,JVBERi0="),
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
    ),
    (file(file_data="data:text/csv;base64,YSxi"), {"inlineData": {"mimeType": "text/csv", "data": "YSxi"}}),
    (file(file_id=OWN_FILE), {"fileData": {"fileUri": OWN_FILE}}),
    (
        {"type": "x", "inlineData": {"mimeType": "image/heic", "data": "AA"}},
        {"inlineData": {"mimeType": "image/heic", "data": "AA"}},
    ),
]


@pytest.mark.parametrize(("part", "expected"), PARTS, ids=[str(row[0])[:70] for row in PARTS])
def test_a_part_of_the_users(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert contents(user(part)) == [said("user", expected)]


T91: list[tuple[dict[str, Any], str]] = [
    (image("https://example.com/a.png"), "messages[0].content[0]"),
    (image("http://[bad"), "messages[0].content[0]"),
    (image("ftp://example.com/a.png"), "messages[0].content[0]"),
    (image("gs://bucket/a.png"), "messages[0].content[0]"),
    (image("data:application/pdf;base64,JVBERi0="), "messages[0].content[0]"),
    (file(file_id="file-abc"), "messages[0].content[0]"),
    (file(file_data="AAAA"), "messages[0].content[0]"),
    ({"type": "hologram"}, "messages[0].content[0]"),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}, "messages[0].content[0].image_url.url"),
]


@pytest.mark.parametrize(("part", "path"), T91, ids=[str(row[0])[:60] for row in T91])
def test_t91_a_part_that_the_provider_cannot_be_given_is_refused_by_its_path(part: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(messages=[user(part)])
    assert refused.value.param == path


CLOUD = {"developer_api": False, "fetches_urls": True}
CLOUD_URLS = [
    ("gs://bucket/a.png", "image/png"),
    ("https://example.com/a.JPG?size=1", "image/jpeg"),
]


@pytest.mark.parametrize(("url", "media_type"), CLOUD_URLS)
def test_a_provider_that_loads_addresses_is_told_their_type(url: str, media_type: str) -> None:
    encoded = encode(messages=[user(image(url))], target=CLOUD)
    assert json.loads(encoded.body)["contents"][0]["parts"] == [{"fileData": {"fileUri": url, "mimeType": media_type}}]


def test_an_address_without_a_type_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="media type"):
        encode(messages=[user(image("https://example.com/a"))], target=CLOUD)


def test_older_models_take_pictures_at_one_resolution() -> None:
    messages = [user(image(PNG_URL, detail="low"))]
    assert contents(*messages, model=FLASH_2_5) == [said("user", INLINE_PNG)]
    assert losses(FLASH_2_5, messages=messages) == {"messages[0].content[0]": "drop"}


def test_t08_empty_texts_and_messages_are_left_out() -> None:
    assert contents(
        user({"type": "text", "text": ""}, {"type": "text", "text": "A"}, {"type": "text", "text": " "}),
        {"role": "assistant", "content": ""},
        {"role": "user", "content": ""},
        USER,
    ) == [said("user", text("A")), said("user", text("Hi"))]


def test_a_refusal_is_sent_back_as_text() -> None:
    refusal = {"role": "assistant", "content": None, "refusal": "I cannot"}
    assert contents(USER, refusal, USER)[1] == said("model", text("I cannot"))


def test_the_callers_turns_keep_their_borders() -> None:
    assert contents(USER, USER, assistant(content="A"), assistant(content="B"), USER) == [
        said("user", text("Hi")),
        said("user", text("Hi")),
        said("model", text("A")),
        said("model", text("B")),
        said("user", text("Hi")),
    ]


def test_a_call_follows_the_user_directly() -> None:
    found = contents(USER, assistant(content="A"), assistant(call("c1")), result("c1"), tools=[WEATHER])
    assert found[1] == said("model", text("A"), called("c1", city="SF", sign=SKIP))


def test_a_conversation_that_the_assistant_starts_gets_a_user_before_it() -> None:
    assert contents(assistant(content="A"), USER)[0] == said("user", text("."))


def test_t67_a_prefill_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="prefill") as refused:
        encode(messages=[USER, assistant(content="I think")])
    assert refused.value.param == "messages[1]"


T04 = [
    USER,
    assistant(call("a"), call("b", "get_time", "")),
    result("b", "noon"),
    result("a", '{"sky": "blue", "n": 12345678901234567890}'),
    USER,
]


def test_t04_all_results_stand_in_one_content_in_the_order_of_their_calls() -> None:
    assert contents(*T04)[1:] == [
        said("model", called("a", city="SF", sign=SKIP), called("b", "get_time")),
        said(
            "user",
            responded("a", {"sky": "blue", "n": 12345678901234567890}),
            responded("b", {"output": "noon"}, "get_time"),
        ),
        said("user", text("Hi")),
    ]


@pytest.mark.parametrize("model", [FLASH_2_0, FLASH_2_5])
def test_older_models_know_no_ids_of_calls_and_ask_for_no_signature(model: str) -> None:
    assert contents(*T04, model=model)[1:3] == [
        said("model", called(None, city="SF"), called(None, "get_time")),
        said(
            "user",
            responded(None, {"sky": "blue", "n": 12345678901234567890}),
            responded(None, {"output": "noon"}, "get_time"),
        ),
    ]


def test_t03_t05_what_stands_between_a_call_and_its_results_comes_after_them() -> None:
    found = contents(
        USER,
        assistant(call("a"), call("b")),
        result("a"),
        USER,
        system("S"),
        result("b"),
        assistant(content="Yo"),
        USER,
    )
    assert [content["role"] for content in found] == ["user", "model", "user", "user", "user", "model", "user"]
    assert found[2] == said("user", responded("a", {"output": "ok"}), responded("b", {"output": "ok"}))
    assert found[3:5] == [said("user", text("Hi")), said("user", text("<system>\nS\n</system>"))]


def test_t30_two_calls_of_one_function_keep_their_own_results() -> None:
    found = contents(USER, assistant(call("a"), call("b")), result("b", "B"), result("a", "A"), model=FLASH_2_5)
    assert found[2] == said("user", responded(None, {"output": "A"}), responded(None, {"output": "B"}))


RESPONSES: list[tuple[Any, dict[str, Any], Any]] = [
    ("sunny", {}, {"output": "sunny"}),
    ("", {}, {"output": ""}),
    ("[1]", {}, {"output": "[1]"}),
    ("null", {}, {"output": "null"}),
    ('{"a": {"b": 1}}', {}, {"a": {"b": 1}}),
    ("{}", {}, {}),
    ("no such city", {"is_error": True}, {"error": "no such city"}),
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {}, {"output": "a\nb"}),
]


@pytest.mark.parametrize(("content", "members", "expected"), RESPONSES, ids=[str(row[0]) for row in RESPONSES])
def test_t07_t09_the_response_of_a_function(content: Any, members: dict[str, Any], expected: Any) -> None:
    found = contents(USER, assistant(call("a")), result("a", content, **members))
    assert found[2] == said("user", responded("a", expected))


WITH_PICTURE = [USER, assistant(call("a")), result("a", [{"type": "text", "text": "here"}, PICTURE])]


def test_t06_a_picture_in_a_result_stays_in_it() -> None:
    assert contents(*WITH_PICTURE)[2:] == [said("user", responded("a", {"output": "here"}, parts=[INLINE_PNG]))]


def test_t06_for_older_models_a_picture_follows_its_result() -> None:
    assert contents(*WITH_PICTURE, USER, model=FLASH_2_5)[2:] == [
        said("user", responded(None, {"output": "here"})),
        said("user", text("Result of `get_weather`:"), INLINE_PNG),
        said("user", text("Hi")),
    ]


def test_a_result_cannot_hold_a_film() -> None:
    film = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    with pytest.raises(InvalidRequest) as refused:
        encode(messages=[USER, assistant(call("a")), result("a", [film])])
    assert refused.value.param == "messages[2].content[0]"


T86 = [
    ([USER, assistant(call("a"))], "messages[1].tool_calls[0]"),
    ([USER, assistant(call("a")), USER], "messages[1].tool_calls[0]"),
    ([USER, assistant(call("a"), call("b")), result("a")], "messages[1].tool_calls[1]"),
    ([USER, result("a")], "messages[1]"),
    ([USER, assistant(call("a")), result("a"), result("a")], "messages[3]"),
    ([USER, assistant(call("a")), result("a"), assistant(content="A"), result("a")], "messages[4]"),
]


@pytest.mark.parametrize(("messages", "path"), T86)
def test_t86_calls_and_results_that_do_not_match_are_refused(messages: list[dict[str, Any]], path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(messages=messages)
    assert refused.value.param == path


ARGUMENTS = [("", "{}"), ("null", "{}"), (" { } ", "{}"), ('{"b": 12345678901234567890, "a": "é"}', None)]


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS)
def test_t24_t82_arguments_are_an_object_in_the_bytes_they_came_in(arguments: str, expected: str | None) -> None:
    body = encode(messages=[USER, assistant(call("a", arguments=arguments)), result("a")]).body.decode()
    assert f'"args":{expected or arguments.replace(" ", "")}' in body


def test_arguments_that_are_no_object_are_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(messages=[USER, assistant(call("a", arguments="[1]")), result("a")])
    assert refused.value.param == "messages[1].tool_calls[0].function.arguments"


def test_an_authors_name_is_dropped() -> None:
    assert losses(messages=[USER | {"name": "Bo"}]) == {"messages[0].name": "drop"}
    assert losses(messages=[USER, assistant(call("a")), result("a", name="get_weather")]) == {}


def test_the_ids_of_calls_that_were_counted_here_are_counted_on() -> None:
    messages = [
        USER,
        assistant(call("call_gm_1"), call("x"), call("call_gm_0")),
        *map(result, ("call_gm_1", "x", "call_gm_0")),
    ]
    assert encode(messages=messages).plan.next_call == 2
    assert encode().plan.next_call == 0
