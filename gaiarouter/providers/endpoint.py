"""A configured provider becomes the addresses of its operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from gaiarouter import __version__
from gaiarouter.config.settings import Provider, Settings
from gaiarouter.dialects.counting import counted_in
from gaiarouter.dialects.gemini.embedding_dialect import BATCH, SINGLE
from gaiarouter.providers import PROFILES
from gaiarouter.providers.base import Endpoint, Profile

OPERATIONS: Mapping[str, str] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "messages": "/messages",
    "gemini": "/models/{model}:generateContent",
    "moderations": "/moderations",
    "images": "/images/generations",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "rerank": "/rerank",
}
"""The path of each operation under a provider's root."""

STREAMS: Mapping[str, str] = {"gemini": "/models/{model}:streamGenerateContent?alt=sse"}
"""Where a stream has a path of its own."""

COUNTS: Mapping[str, str] = {
    "messages": "/messages/count_tokens",
    "responses": "/responses/input_tokens",
    "gemini": "/models/{model}:countTokens",
}
"""Where each format has tokens counted, at a provider that speaks `count_tokens`."""

BESIDE: Mapping[str, tuple[str, str]] = {
    "images.edits": ("images", "/images/edits"),
    "transcriptions.translations": ("transcriptions", "/audio/translations"),
}
"""What comes with an operation: by its own name, that operation and the path."""

_GEMINI_EMBEDDINGS: Mapping[str, str] = {
    BATCH: "/models/{model}:batchEmbedContents",
    SINGLE: "/models/{model}:embedContent",
}

_VERSION = re.compile(r"v\d+(alpha|beta)?\d*")


def endpoints(settings: Settings) -> Mapping[str, Mapping[str, Endpoint]]:
    """By provider's name, then by the dialect it is spoken to in: where it is called."""
    return {name: compile_provider(provider, PROFILES[provider.kind]) for name, provider in settings.providers.items()}


def compile_provider(provider: Provider, profile: Profile) -> Mapping[str, Endpoint]:
    """By dialect's name or the operation's, for all that it speaks. provider.base_url is given where the profile has
    none."""
    speaks = profile.speaks if provider.speaks is None else provider.speaks
    address = _address(provider, profile)
    query = f"?api-version={quote(provider.api_version, safe='')}" if provider.api_version is not None else ""
    paths = {name: path for name, path in OPERATIONS.items() if name in speaks}
    if "count_tokens" in speaks:
        paths |= {counted_in(name): path for name, path in COUNTS.items() if name in speaks}
    paths |= {name: path for name, (operation, path) in BESIDE.items() if operation in speaks}
    if "gemini" in speaks and paths.pop("embeddings", None) is not None:
        paths |= _GEMINI_EMBEDDINGS
    paths |= {name: path for name, path in profile.paths.items() if name in paths}
    streams = {**STREAMS, **profile.stream_paths}
    return {
        name: Endpoint(
            provider=provider.name,
            transport=profile.transport,
            url=f"{address}{path}{query}",
            auth=profile.auth,
            headers=_headers(provider, profile),
            asks_usage=profile.asks_usage,
            sends_base64=profile.sends_base64,
            fetch_media=provider.fetch_media,
            stream_url=f"{address}{streams[name]}" if name in streams else None,
            reshape=profile.reshape.get(name),
            known_as=profile.known_as or profile.name,
            trace_context=provider.trace_context,
        )
        for name, path in paths.items()
    }


def _address(provider: Provider, profile: Profile) -> str:
    if profile.transport == "echo":
        return "echo:"
    if profile.versioned_root is not None and provider.api_version is not None:
        return _without_root(_base(provider, profile), profile.root) + profile.versioned_root
    return _with_root(_base(provider, profile), profile.root)


def _base(provider: Provider, profile: Profile) -> str:
    base = provider.base_url or profile.base_url
    assert base is not None  # the loader asked for one
    return base.rstrip("/")


def _with_root(base: str, root: str) -> str:
    """`root` behind `base`, without the segments of it that `base` ends with already.

    Another version at the end of `base` than the root's is the operator's choice, and stays.
    """
    segments = root.strip("/").split("/") if root else []
    for count in range(len(segments), 0, -1):
        if base.endswith("/" + "/".join(segments[:count])):
            return "/".join([base, *segments[count:]])
    if segments and _VERSION.fullmatch(base.rpartition("/")[2]) and _VERSION.fullmatch(segments[0]):
        return "/".join([base, *segments[1:]])
    return "/".join([base, *segments])


def _without_root(base: str, root: str) -> str:
    segments = root.strip("/").split("/")
    for count in range(len(segments), 0, -1):
        base = base.removesuffix("/" + "/".join(segments[:count]))
    return base


def _headers(provider: Provider, profile: Profile) -> Mapping[str, str]:
    """Made from nothing: a caller's headers never go upstream."""
    configured = {name.lower(): value for name, value in provider.headers.items()}
    return {
        "user-agent": f"gaiarouter/{__version__}",
        **profile.headers,
        **configured,
        "content-type": "application/json",
        "accept": "application/json",
    }
