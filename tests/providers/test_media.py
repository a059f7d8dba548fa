"""Which addresses are sent to whom, and which must be loaded first. What a vendor's API loads by itself is from its
documentation."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Audio, Document, Image, Url, Video
from gaiarouter.canonical.request import CanonicalRequest, Turn
from gaiarouter.config.settings import Provider
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES
from gaiarouter.providers.targets import compile_targets

HERE = Url("https://example.com/a")
PARTS: dict[str, Media] = {
    "image": Image(source=HERE),
    "document": Document(source=HERE),
    "audio": Audio(source=HERE),
    "video": Video(source=HERE),
    "own file": Document(source=Url("https://generativelanguage.googleapis.com/v1beta/files/abc")),
    "film": Video(source=Url("https://youtu.be/abc")),
}
ELSEWHERE = {"fetch_media": True, "base_url": "http://gpu.internal:8000/v1"}

CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("google", "gemini", {}, "image document audio video"),
    ("google", "gemini", {"base_url": "https://gw.example"}, "image document audio video"),
    ("vertex", "gemini", {}, "image document audio video"),
    ("vertex-anthropic", "messages", {}, "image document"),
    ("anthropic", "messages", {}, ""),
    ("anthropic", "messages", {"fetch_media": True}, ""),
    ("anthropic", "messages", {"fetch_media": True, "base_url": "https://api.anthropic.com/v1"}, ""),
    ("anthropic", "messages", {"base_url": "https://gw.example"}, ""),
    ("anthropic", "messages", ELSEWHERE, "image document"),
    ("openai", "chat", {}, "document audio"),
    ("openai", "chat", {"fetch_media": True}, "document audio"),
    ("openai", "chat", ELSEWHERE, "image document audio"),
    ("openai", "responses", {}, "audio"),
    ("openai", "responses", {"fetch_media": True}, "audio"),
    ("openai", "responses", ELSEWHERE, "image document audio"),
    ("groq", "chat", {"fetch_media": True}, "document"),
    ("deepseek", "chat", ELSEWHERE, "document"),
    ("ollama", "chat", {}, "image document"),
    ("vllm", "chat", {"base_url": "http://gpu.internal:8000/v1"}, "document"),
    ("vllm", "chat", ELSEWHERE, "image document"),
]


@pytest.mark.parametrize(("kind", "dialect", "given", "needed"), CASES)
def test_bytes_are_needed_of_what_the_provider_takes_and_does_not_load(
    kind: str, dialect: str, given: dict[str, Any], needed: str
) -> None:
    target = compile_targets(Provider(name="p", kind=kind, **given), PROFILES[kind])[dialect]
    plain = {"image", "document", "audio", "video"}
    assert {name for name in plain if target.needs_bytes(PARTS[name])} == plain & set(needed.split())


def test_t11_a_server_that_loads_nothing_is_not_sent_addresses() -> None:
    target = compile_targets(Provider(name="p", kind="ollama"), PROFILES["ollama"])["chat"]
    turn = Turn(role="user", parts=(Image(source=HERE, path="messages[0].content[0]"),))
    request = CanonicalRequest(dialect="messages", model="m", turns=(turn,))
    with pytest.raises(InvalidRequest, match="does not load addresses") as caught:
        target.prepare(request, model="llava", strict=False)
    assert caught.value.param == "messages[0].content[0]"


def test_what_gemini_always_takes_by_its_address_is_not_loaded() -> None:
    target = compile_targets(Provider(name="p", kind="google", fetch_media=True), PROFILES["google"])["gemini"]
    assert not any(target.needs_bytes(PARTS[name]) for name in ("own file", "film"))
    assert target.needs_bytes(Video(source=Url("https://youtu.be.example.com/abc")))
    assert target.needs_bytes(Image(source=Url("https://[youtu.be/abc")))
