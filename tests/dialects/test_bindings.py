"""What is found in a request that only its issuer can read or keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.parts import Sealed
from gaiarouter.dialects.bindings import READERS
from gaiarouter.dialects.gemini import foreign as gemini
from gaiarouter.dialects.messages import foreign as messages
from gaiarouter.dialects.responses import sealing as responses

Body = dict[str, Any]
Found = list[tuple[str, str, str]]
"""The field, the dialect of its issuer, and what holds it."""

OURS = Sealed("signature", "anthropic-claude-v1", "c2ln")


def in_input(item: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "input": [{"role": "user", "content": "hi"}, item]}


def in_message(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(blocks)}]}


def in_contents(part: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}, part]}]}


RESPONSES: dict[str, tuple[Body, Found]] = {
    "an earlier answer": ({"previous_response_id": "resp_1"}, [("previous_response_id", "responses", "kept")]),
    "none": ({"previous_response_id": None, "store": False, "background": False}, []),
    "a conversation": ({"conversation": {"id": "conv_1"}}, [("conversation", "responses", "kept")]),
    "a stored prompt": ({"prompt": {"id": "pmpt_1"}}, [("prompt", "responses", "kept")]),
    "an answer to be kept": ({"store": True}, [("store", "responses", "state")]),
    "an answer for later": ({"background": True}, [("background", "responses", "state")]),
    "a reference": (
        in_input({"type": "item_reference", "id": "msg_1"}),
        [("input[1]", "responses", "kept")],
    ),
    "a reference without a type": (in_input({"id": "msg_1"}), [("input[1]", "responses", "kept")]),
    "sealed thinking": (
        in_input({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}),
        [("input[1].encrypted_content", "responses", "sealed")],
    ),
    "thinking that the gateway sealed": (
        in_input(
            {
                "type": "reasoning",
                "summary": [],
                "encrypted_content": responses.wrap(responses.Wrapped("anthropic-claude-v1", (OURS,))),
            }
        ),
        [("input[1].encrypted_content", "messages", "preference")],
    ),
    "a picture that was uploaded": (
        in_input({"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}),
        [("input[1].content[0].file_id", "responses", "kept")],
    ),
    "another vendor's file": (
        in_input({"role": "user", "content": [{"type": "input_file", "file_id": "file_011"}]}),
        [("input[1].content[0].file_id", "messages", "kept")],
    ),
    "a file in a result": (
        in_input(
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "file-1"}]}
        ),
        [("input[1].output[0].file_id", "responses", "kept")],
    ),
    "a container": (
        {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]},
        [("tools[0].container", "responses", "kept")],
    ),
    "a container to be made": ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, []),
    "a store of vectors": (
        {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
        [("tools[0].vector_store_ids", "responses", "kept")],
    ),
}
MESSAGES: dict[str, tuple[Body, Found]] = {
    "a file": (
        in_message({"type": "document", "source": {"type": "file", "file_id": "file_011"}}),
        [("messages[0].content[0].source.file_id", "messages", "kept")],
    ),
    "a file in a result": (
        in_message(
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [{"type": "image", "source": {"type": "file", "file_id": "file_011"}}],
            }
        ),
        [("messages[0].content[0].content[0].source.file_id", "messages", "kept")],
    ),
    "a container": ({**in_message(), "container": "container_1"}, [("container", "messages", "kept")]),
    "a container by its id": (
        {**in_message(), "container": {"id": "container_1", "skills": []}},
        [("container.id", "messages", "kept")],
    ),
    "a container to be made": ({**in_message(), "container": {"skills": []}}, []),
    "a file for the container": (
        in_message({"type": "container_upload", "file_id": "file_011"}),
        [("messages[0].content[0].file_id", "messages", "kept")],
    ),
    "signed thinking": (
        in_message({"type": "thinking", "thinking": "hm", "signature": "c2ln"}),
        [("messages[0].content[0].signature", "messages", "preference")],
    ),
    "thinking that the gateway sealed": (
        in_message(
            {
                "type": "thinking",
                "thinking": "hm",
                "signature": messages.wrap(messages.Wrapped(format="google-gemini-v1", sealed=(OURS,))),
            }
        ),
        [("messages[0].content[0].signature", "gemini", "preference")],
    ),
    "withheld thinking": (
        in_message({"type": "redacted_thinking", "data": "c2ln"}),
        [("messages[0].content[0]", "messages", "preference")],
    ),
}
GEMINI: dict[str, tuple[Body, Found]] = {
    "a cache": (
        {**in_contents({"text": "x"}), "cachedContent": "cachedContents/1"},
        [("cachedContent", "gemini", "kept")],
    ),
    "a cache in the other spelling": (
        {**in_contents({"text": "x"}), "cached_content": "cachedContents/1"},
        [("cachedContent", "gemini", "kept")],
    ),
    "a file": (
        in_contents({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}),
        [("contents[0].parts[1].fileData.fileUri", "gemini", "kept")],
    ),
    "an address": (in_contents({"fileData": {"fileUri": "https://example.com/generativelanguage.pdf"}}), []),
    "a signature": (
        in_contents({"text": "x", "thoughtSignature": "c2ln"}),
        [("contents[0].parts[1].thoughtSignature", "gemini", "preference")],
    ),
    "a signature that the gateway made": (
        in_contents({"text": "x", "thought_signature": gemini.wrap([], OURS)}),
        [("contents[0].parts[1].thoughtSignature", "messages", "preference")],
    ),
}
CHAT: dict[str, tuple[Body, Found]] = {
    "a file": (
        in_message({"type": "file", "file": {"file_id": "file-1"}}),
        [("messages[0].content[0].file.file_id", "responses", "kept")],
    ),
    "another vendor's file": (
        in_message({"type": "file", "file": {"file_id": "file_011"}}),
        [("messages[0].content[0].file.file_id", "messages", "kept")],
    ),
    "a file's bytes": (in_message({"type": "file", "file": {"file_data": "data:x", "file_id": None}}), []),
    "an earlier sound": (
        {"model": "m", "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]},
        [("messages[0].audio.id", "responses", "kept")],
    ),
    "signed thinking": (
        {
            "model": "m",
            "messages": [
                {
                    "role": "assistant",
                    "content": "x",
                    "reasoning_details": [
                        {"type": "reasoning.text", "format": "anthropic-claude-v1", "signature": "c2ln"}
                    ],
                }
            ],
        },
        [("messages[0].reasoning_details[0]", "messages", "preference")],
    ),
    "plain words": (in_message({"type": "text", "text": 'say "file_id" and "audio"'}), []),
}
CASES = [
    pytest.param(dialect, body, found, id=f"{dialect}: {name}")
    for dialect, cases in (("responses", RESPONSES), ("messages", MESSAGES), ("gemini", GEMINI), ("chat", CHAT))
    for name, (body, found) in cases.items()
]


@pytest.mark.parametrize(("dialect", "body", "found"), CASES)
def test_what_is_bound_is_found_by_its_name(dialect: str, body: Body, found: Found) -> None:
    bindings = READERS[dialect](json.dumps(body).encode())
    assert [(each.path, each.dialects[0], each.hold) for each in bindings] == found


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("responses", {"input": [{"content": [{"file_id": 5}]}]}),
        ("responses", {"input": [{"output": [{"file_id": {}}]}]}),
        ("messages", {"messages": [{"content": [{"type": "image", "source": {"file_id": []}}]}]}),
        ("gemini", {"contents": [{"parts": [{"thoughtSignature": 5}]}], "labels": {"cachedContent": "x"}}),
        ("gemini", {"contents": "cachedContent"}),
        ("chat", {"messages": [{"content": [{"file": {"file_id": 1}}]}]}),
    ],
)
def test_what_is_wrong_in_it_binds_nothing(dialect: str, body: Body) -> None:
    assert READERS[dialect](json.dumps(body).encode()) == ()
