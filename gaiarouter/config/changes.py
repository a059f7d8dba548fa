"""What a reload can change and what it cannot: some settings are what the process was built on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Final

from gaiarouter.config.settings import Settings

NEED_RESTART: Final = (
    *("server", "store", "upstream", "ledger", "redis", "log.format", "log.bodies", "traces"),
    *("auth.admin_key", "auth.pepper"),
)
"""Fields of Settings, whole or one by one, that hold for the life of the process."""
RELOADED: Final = ("providers", "routes", "limits", "auth", "stream", "log", "fingerprint", "path")
"""Those that a service is built of (assembly/service.py), or that the parts are told of."""


def needs_restart(running: Settings, new: Settings) -> tuple[str, ...]:
    """The settings that differ and will not change before a restart, as `server.port`."""
    return tuple(_differing(running, new))


def as_far_as_possible(running: Settings, new: Settings) -> Settings:
    """The new settings, with those of the running ones that need a restart."""
    for section, _, name in (path.partition(".") for path in NEED_RESTART):
        kept = getattr(running, section)
        if name:
            kept = replace(getattr(new, section), **{name: getattr(kept, name)})
        new = replace(new, **{section: kept})
    return new


def changed_providers(running: Settings, new: Settings) -> tuple[str, ...]:
    """Names of those that came, went or are another than before."""
    names = dict.fromkeys((*running.providers, *new.providers))
    return tuple(name for name in names if running.providers.get(name) != new.providers.get(name))


def _differing(running: Settings, new: Settings) -> Iterator[str]:
    for section, _, name in (path.partition(".") for path in NEED_RESTART):
        before, after = getattr(running, section), getattr(new, section)
        both = is_dataclass(before) and is_dataclass(after)
        names = (name,) if name else tuple(field.name for field in fields(before)) if both else ()
        for each in names:
            if getattr(before, each) != getattr(after, each):
                yield f"{section}.{each.removesuffix('_s')}"
        if not names and before != after:
            yield section
