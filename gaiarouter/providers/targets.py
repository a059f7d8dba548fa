"""A configured provider becomes what writes requests for it, for callers of another dialect than its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import structs

from gaiarouter.config.settings import Provider, Settings
from gaiarouter.dialects.chat import capabilities as chat
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.gemini import capabilities as gemini
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages import capabilities as messages
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.translate import Target
from gaiarouter.providers import PROFILES
from gaiarouter.providers.base import Profile


def targets(settings: Settings) -> Mapping[str, Mapping[str, Target]]:
    """By provider's name, then by dialect, in the order of preference."""
    return {name: compile_targets(provider, PROFILES[provider.kind]) for name, provider in settings.providers.items()}


def stateless(settings: Settings) -> frozenset[str]:
    """The providers that keep nothing."""
    return frozenset(name for name, provider in settings.providers.items() if PROFILES[provider.kind].stateless)


def relays(settings: Settings) -> frozenset[str]:
    """The providers that choose among providers themselves."""
    return frozenset(name for name, provider in settings.providers.items() if PROFILES[provider.kind].picks_providers)


def compile_targets(provider: Provider, profile: Profile) -> Mapping[str, Target]:
    speaks = profile.speaks if provider.speaks is None else provider.speaks
    return {name: make(provider, profile) for name, make in _MAKERS.items() if name in speaks}


def _overrides(provider: Provider, dialect: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (glob, each.fields[dialect]) for each in provider.capabilities if dialect in each.fields for glob in each.match
    ]


def _fetches_urls(provider: Provider, profile: Profile) -> bool:
    """Whether addresses of pictures and files are sent where the format knows them, as its vendor loads them. With
    `fetch_media` a server elsewhere is sent bytes: nobody knows whether it loads anything."""
    if not profile.loads_urls:
        return False
    return not provider.fetch_media or provider.base_url is None or _host(provider.base_url) == _host(profile.base_url)


def _host(url: str | None) -> str | None:
    return urlsplit(url or "").hostname


def _messages(provider: Provider, profile: Profile) -> Target:
    return MessagesTarget(
        messages.CapabilityTable(_overrides(provider, "messages")),
        fetches_urls=_fetches_urls(provider, profile),
        web_search=provider.web_search,
    )


def _gemini(provider: Provider, profile: Profile) -> Target:
    return GeminiTarget(
        gemini.CapabilityTable(_overrides(provider, "gemini")),
        developer_api=profile.developer_api,
        web_search=provider.web_search,
    )


def _chat(provider: Provider, profile: Profile) -> Target:
    image_urls = profile.chat.image_urls and _fetches_urls(provider, profile)
    table = chat.CapabilityTable(_overrides(provider, "chat"))
    return ChatTarget(structs.replace(profile.chat, image_urls=image_urls), table)


def _responses(provider: Provider, profile: Profile) -> Target:
    return ResponsesTarget(fetches_urls=_fetches_urls(provider, profile))


_MAKERS: Mapping[str, Callable[[Provider, Profile], Target]] = {
    "messages": _messages,
    "gemini": _gemini,
    "chat": _chat,
    "responses": _responses,
}
