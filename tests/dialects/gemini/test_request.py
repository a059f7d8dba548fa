"""Fields of a Chat request at the top, each as a Gemini target gets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.gemini.request import method
from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.send import FLASH_2_5, USER, WEATHER, config, encode, losses, said, sent, system, text

CONFIG: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({"max_tokens": 9}, {"maxOutputTokens": 9}, {}),
    ({"max_completion_tokens": 8, "max_tokens": 9}, {"maxOutputTokens": 8}, {}),
    ({"temperature": 2}, {"temperature": 2.0}, {}),
    ({"temperature": 0}, {"temperature": 0.0}, {}),
    ({"top_p": 0.5, "top_k": 3}, {"topP": 0.5, "topK": 3}, {}),
    ({"stop": "A"}, {"stopSequences": ["A"]}, {}),
    ({"stop": ["", "A"]}, {"stopSequences": ["A"]}, {"stop": "adapt"}),
    ({"stop": list("ABCDEF")}, {"stopSequences": list("ABCDE")}, {"stop": "adapt"}),
    ({"stop": []}, {}, {}),
    ({"n": 1}, {}, {}),
    ({"n": 3}, {"candidateCount": 3}, {}),
    ({"seed": 7}, {"seed": 7}, {}),
    ({"seed": -5}, {"seed": -5}, {}),
    ({"seed": 2**31 - 1}, {"seed": 2**31 - 1}, {}),
    ({"seed": 2**31 + 5}, {"seed": 5}, {"seed": "adapt"}),
    ({"presence_penalty": 1, "frequency_penalty": -1}, {"presencePenalty": 1.0, "frequencyPenalty": -1.0}, {}),
    ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}, {}),
    ({"logprobs": False}, {}, {}),
    ({"logit_bias": {"1": 1}}, {}, {"logit_bias": "drop"}),
    ({"modalities": ["text"]}, {}, {}),
    ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}, {}),
    ({"user": "me", "metadata": {"a": "b"}, "store": True}, {}, {"user": "drop", "metadata": "drop", "store": "drop"}),
    ({"prompt_cache_key": "k"}, {}, {"prompt_cache_key": "drop"}),
    ({"prompt_cache_options": {"ttl": "1h"}}, {}, {"prompt_cache_options": "drop"}),
    ({"min_p": 0.1}, {}, {"min_p": "drop"}),
    ({"stream_options": {"include_usage": True}, "stream": True}, {}, {}),
]


@pytest.mark.parametrize(("members", "expected", "lost"), CONFIG, ids=[str(row[0])[:60] for row in CONFIG])
def test_a_field_of_the_configuration(members: dict[str, Any], expected: dict[str, Any], lost: dict[str, str]) -> None:
    assert config(**members) == expected
    assert losses(**members) == lost


VOICE = {"voice": "kore", "format": "pcm16"}


def test_sound_is_asked_for_with_a_voice_of_the_providers() -> None:
    assert config(modalities=["text", "audio"], audio=VOICE) == {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    }


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"n": 2, "stream": True}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"modalities": ["audio"], "audio": {"voice": "alloy"}}, "audio.voice"),
    ({"modalities": ["audio"], "audio": VOICE | {"format": "mp3"}}, "audio.format"),
    ({"modalities": ["smell"]}, "modalities"),
    ({"background": True}, "background"),
    ({"cached_content": "cachedContents/1", "tools": [WEATHER]}, "cached_content"),
    ({"cached_content": "cachedContents/1", "messages": [system("S"), USER]}, "cached_content"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "user", "content": " "}]}, "messages[0]"),
    ({"messages": [system("S")]}, "messages"),
]


@pytest.mark.parametrize(("members", "path"), REFUSED, ids=[f"{row[1]}-{n}" for n, row in enumerate(REFUSED)])
def test_what_the_provider_cannot_do_is_refused_by_its_path(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(**members)
    assert refused.value.param == path


TIERS = [
    ("auto", True, None, {}),
    ("default", True, "standard", {}),
    ("flex", True, "flex", {}),
    ("priority", True, "priority", {}),
    ("scale", True, None, {"service_tier": "drop"}),
    ("flex", False, None, {"service_tier": "drop"}),
]


@pytest.mark.parametrize(("tier", "developer_api", "expected", "lost"), TIERS)
def test_a_tier_of_service(tier: str, developer_api: bool, expected: str | None, lost: dict[str, str]) -> None:
    encoded = encode(service_tier=tier, target={"developer_api": developer_api})
    assert json.loads(encoded.body).get("serviceTier") == expected
    assert {loss.path: loss.kind for loss in encoded.losses} == lost


@pytest.mark.parametrize("name", ["safety_settings", "safetySettings"])
def test_safety_settings_are_the_callers_and_never_ours(name: str) -> None:
    settings: Any = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}]
    assert sent(**{name: settings})["safetySettings"] == settings
    assert "safetySettings" not in sent()


def test_cached_content_goes_on_by_its_name() -> None:
    assert sent(cached_content="cachedContents/1")["cachedContent"] == "cachedContents/1"


def test_t93_another_vendors_extras_stay_behind() -> None:
    members: dict[str, Any] = {"provider": {"order": ["x"]}, "top_a": 1, "anthropic_beta": ["b"], "thinking_x": 1}
    assert set(sent(**members)) == {"contents"}
    assert losses(**members) == dict.fromkeys(members, "drop")


def test_t01_all_leading_instructions_survive_in_order() -> None:
    body = sent(messages=[system("A"), system("B", "developer"), system([{"type": "text", "text": "C"}]), USER])
    assert body["systemInstruction"] == {"parts": [text("A"), text("B"), text("C")]}
    assert body["contents"] == [said("user", text("Hi"))]


def test_t02_a_later_instruction_stays_where_it_was() -> None:
    messages = [system("A"), USER, {"role": "assistant", "content": "Yo"}, USER]
    longer = sent(messages=[*messages, system("B", "developer")])
    assert longer["systemInstruction"] == sent(messages=messages)["systemInstruction"]
    assert longer["contents"][-1] == said("user", text("<system>\nB\n</system>"))
    assert losses(messages=[*messages, system("B")]) == {"messages[4]": "adapt"}


def test_t08_empty_instructions_are_left_out() -> None:
    assert "systemInstruction" not in sent(messages=[system(""), system(" "), USER])


def test_model_and_streaming_stand_in_the_address() -> None:
    assert not {"model", "stream"} & sent(stream=True).keys()
    assert method("models/gemini-x", stream=False) == "models/gemini-x:generateContent"
    assert method("gemini-x", stream=True) == "models/gemini-x:streamGenerateContent?alt=sse"


def test_a_strict_target_refuses_what_is_only_near() -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(strict=True, seed=2**40)
    assert refused.value.param == "seed"
    assert encode(strict=True, user="me").losses[0].path == "user"


def test_cache_markers_are_dropped_even_for_the_strict() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "Hi"} | mark
    encoded = encode(
        FLASH_2_5,
        strict=True,
        messages=[{"role": "system", "content": [part]}, {"role": "user", "content": [part]}],
        tools=[WEATHER | mark],
    )
    assert b"cache" not in encoded.body
    assert {loss.path for loss in encoded.losses} == {"messages[0].content[0]", "messages[1].content[0]", "tools[0]"}
