"""Media are found and changed wherever a request may hold them."""

from __future__ import annotations

import msgspec
import pytest

from gaiarouter.canonical.media import Media, media_of, web_address, with_media
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Bucket,
    Document,
    FileRef,
    Image,
    PlainText,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.request import CanonicalRequest, Turn

HERE = Url("https://example.com/a")
TEXT = Text(text="Look", path="t")
IMAGE, SOUND = Image(source=HERE, detail="low", path="0"), Audio(source=HERE, path="1")
FILM, FILE = Video(source=HERE, path="2"), Document(source=HERE, title="T", path="3")
CALL = ToolCall(call_id="c", name="look", arguments="{}")
RESULT = ToolResult(call_id="c", content=(TEXT, IMAGE, FILE), is_error=False)
OTHERS = (ToolResult(call_id="d", content="text"), ToolResult(call_id="e", content=msgspec.Raw(b'{"a":1}')))
REQUEST = CanonicalRequest(
    dialect="chat",
    model="m",
    turns=(
        Turn(role="user", parts=(TEXT, IMAGE, SOUND)),
        Turn(role="assistant", parts=(CALL,), name="n"),
        Turn(role="user", parts=(RESULT, *OTHERS, FILM, FILE)),
    ),
    max_output_tokens=7,
)


def test_media_are_found_in_their_order() -> None:
    assert list(media_of(REQUEST)) == [IMAGE, SOUND, IMAGE, FILE, FILM, FILE]


def test_only_what_changes_changes() -> None:
    bytes_ = Base64("image/png", "AA==")

    def change(part: Media) -> Media:
        return msgspec.structs.replace(part, source=bytes_) if isinstance(part, Image) else part

    changed = with_media(REQUEST, change)
    image = Image(source=bytes_, detail="low", path="0")
    assert changed.turns[0].parts == (TEXT, image, SOUND)
    assert changed.turns[1] == REQUEST.turns[1]
    assert changed.turns[2].parts == (
        ToolResult(call_id="c", content=(TEXT, image, FILE), is_error=False),
        *OTHERS,
        FILM,
        FILE,
    )
    assert changed.max_output_tokens == 7
    assert next(iter(media_of(REQUEST))) == IMAGE


def test_without_a_change_the_request_is_the_same() -> None:
    assert with_media(REQUEST, lambda part: part) == REQUEST


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (Url("https://example.com/a"), "https://example.com/a"),
        (Url("HTTP://example.com/a"), "HTTP://example.com/a"),
        (Url("ftp://example.com/a"), None),
        (Url("gs://bucket/a"), None),
        (Url("https:/example.com"), None),
        (Base64("image/png", "AA=="), None),
        (FileRef("https://example.com/files/a"), None),
        (PlainText("https://example.com/"), None),
        (Bucket("s3://bucket/a"), None),
    ],
)
def test_a_web_address_begins_like_one(source: Source, address: str | None) -> None:
    assert web_address(Document(source=source)) == address
