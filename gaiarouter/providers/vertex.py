"""Google's cloud, Vertex AI: Gemini's models and Anthropic's, each in its own format at paths of the cloud's own.

`base_url` names project and place; the credential is an access token, which the operator renews.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gaiarouter.dialects.members import JsonObject
from gaiarouter.providers.base import Profile

_GEMINI: Final = "/publishers/google/models/{model}:"
_CLAUDE: Final = "/publishers/anthropic/models/{model}:"
_VERSION: Final = "anthropic-version"
_VERSIONS: Final = {"2023-06-01": "vertex-2023-10-16"}
"""The version of the API under another name; newer ones have theirs."""

_WHOLE: Final = frozenset({"generateContentRequest", "generate_content_request"})
_COUNTED: Final = frozenset(
    {"contents", "tools", "systemInstruction", "system_instruction", "generationConfig", "generation_config"}
)


def counted(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
    """A Messages request as Vertex has it: the version stands in the body."""
    version = headers.get(_VERSION, "2023-06-01")
    said = {"anthropic_version": msgspec.json.encode(_VERSIONS.get(version, version))}
    rest = {name: value for name, value in headers.items() if name != _VERSION}
    return JsonObject(body).patched(said), rest


def asked(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
    """The model stands in the path, too, and there alone."""
    body, headers = counted(body, headers)
    return JsonObject(body).patched({}, drop=("model",)), headers


def flat(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
    """A request of Gemini's to be counted: its members stand by themselves, and fewer of them are known."""
    members = JsonObject(body)
    inner = next((value for name, value in members.members.items() if name in _WHOLE), None)
    whole = members if inner is None else JsonObject(bytes(inner))
    return whole.patched({}, drop=[name for name in whole.members if name not in _COUNTED]), headers


ROWS: tuple[Profile, ...] = (
    Profile(
        "vertex",
        "Gemini on Vertex AI",
        None,
        speaks=("gemini", "count_tokens"),
        paths={"gemini": f"{_GEMINI}generateContent", "gemini.count_tokens": f"{_GEMINI}countTokens"},
        stream_paths={"gemini": f"{_GEMINI}streamGenerateContent?alt=sse"},
        reshape={"gemini.count_tokens": flat},
        loads_urls=False,
        developer_api=False,
        stateless=True,
        known_as="gcp.vertex_ai",
    ),
    Profile(
        "vertex-anthropic",
        "Claude on Vertex AI",
        None,
        speaks=("messages", "count_tokens"),
        paths={
            "messages": f"{_CLAUDE}rawPredict",
            "messages.count_tokens": "/publishers/anthropic/models/count-tokens:rawPredict",
        },
        stream_paths={"messages": f"{_CLAUDE}streamRawPredict"},
        reshape={"messages": asked, "messages.count_tokens": counted},
        loads_urls=False,
        stateless=True,
        known_as="gcp.vertex_ai",
    ),
)
