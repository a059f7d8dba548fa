"""Which models each kind of provider is known to have: a snapshot that ships with the package.

.ci/update_catalogue.py makes it. For lists and look-ups only. A model that is not in it can be used like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Self


class Catalogue:
    """models: by kind, the ids that the provider knows its chat models by, each with its context length in tokens
    (None where it is not known)."""

    def __init__(self, models: Mapping[str, Mapping[str, int | None]]) -> None:
        self._models = models

    @classmethod
    def load(cls) -> Self:
        text = files(__package__).joinpath("catalogue.json").read_text(encoding="utf-8")
        return cls(json.loads(text)["models"])

    def models(self, kind: str) -> Mapping[str, int | None]:
        """Context lengths by model; nothing for a kind whose models are the operator's own."""
        return self._models.get(kind, {})
