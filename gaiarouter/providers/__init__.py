"""Who serves. `PROFILES` is the whole list of kinds of provider that a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gaiarouter.providers import vertex
from gaiarouter.providers.base import Profile
from gaiarouter.providers.compatible import ROWS

PROFILES: Mapping[str, Profile] = MappingProxyType({row.name: row for row in (*ROWS, *vertex.ROWS)})


def known_kinds() -> Mapping[str, bool]:
    """Each kind, and whether its configuration must give a base_url."""
    return {name: row.base_url is None and row.transport == "http" for name, row in PROFILES.items()}
