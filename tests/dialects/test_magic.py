"""The heads are what common encoders write, from the formats' own documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.magic import HEAD_BYTES, media_type_of


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xdb\0C", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x1a\0\0\0WEBPVP8L", "image/webp"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "image/heif"),
        (b"%PDF-2.0", "application/pdf"),
        (b"RIFF\x24\x08\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x03\0", "audio/mp3"),
        (b"\xff\xfb\x90\x44", "audio/mp3"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"OggS\0\x02", "audio/ogg"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"\0\0\0\x20ftypM4A ", "audio/m4a"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypmp42", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x9f", "video/webm"),
        (b"\0\0\0\x1cftypavif", None),
        (b"RIFF\x24\x08\0\0AVI LIST", None),
        (b"PK\x03\x04", None),
        (b"<!DOCTYPE html>", None),
        (b"\x89PNG\n", None),
        (b"%PDF", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_type(head: bytes, media_type: str | None) -> None:
    assert media_type_of(head) == media_type
    assert media_type_of(head + bytes(99)) == media_type


@given(st.binary(), st.binary())
def test_only_the_head_counts(head: bytes, rest: bytes) -> None:
    whole = head.ljust(HEAD_BYTES) + rest
    assert media_type_of(whole) == media_type_of(whole[:HEAD_BYTES])


@given(st.text())
def test_text_in_ascii_is_taken_for_media_only_if_it_says_so(text: str) -> None:
    body = text.encode("ascii", "ignore")
    found = media_type_of(body)
    assert found is None or body.startswith((b"GIF8", b"%PDF-", b"ID3", b"OggS", b"fLaC", b"RIFF")) or b"ftyp" in body
