"""Settings in few words, for the tests of routing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import (
    FallbackCondition,
    Group,
    ModelReference,
    Provider,
    ProviderKey,
    Route,
    Settings,
    Target,
)


def provider(name: str, *, keys: int = 1, off: str | None = None) -> Provider:
    return Provider(
        name=name,
        kind="openai",
        keys=tuple(ProviderKey(Secret(f"{name}-{index}"), index) for index in range(keys)),
        off=off,
    )


def target(words: str) -> Target:
    """`openai`, `openai/model` or `openai/model*9`: provider, model there, weight."""
    words, _, weight = words.partition("*")
    name, _, model = words.partition("/")
    return Target(name, model or None, int(weight or 1))


def group(*targets: str, on: tuple[FallbackCondition, ...] | None = None) -> Group:
    return Group(tuple(target(words) for words in targets), on=on)


def reference(model: str, on: tuple[FallbackCondition, ...] | None = None) -> Group:
    return Group(reference=ModelReference(model), on=on)


def route(match: str | Sequence[str], *targets: str, fallbacks: Sequence[Group] = (), **more: Any) -> Route:
    globs = (match,) if isinstance(match, str) else tuple(match)
    return Route(name=globs[0], match=globs, targets=group(*targets), fallbacks=tuple(fallbacks), **more)


def settings(*routes: Route, off: Sequence[str] = (), keys: int = 1) -> Settings:
    """The providers are those that the routes name."""
    names = {t.provider for r in routes for g in (r.targets, *r.fallbacks) for t in g.targets}
    return Settings(
        providers={
            name: provider(name, keys=keys, off="its `api_key` is empty" if name in off else None) for name in names
        },
        routes=routes,
    )
