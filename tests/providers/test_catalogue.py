"""The snapshot of known models, and the page that lists the providers."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from gaiarouter.providers import PROFILES
from gaiarouter.providers.catalogue import Catalogue

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kind", "model", "context"),
    [
        ("openai", "gpt-4o", 128_000),
        ("anthropic", "claude-sonnet-4-5", 200_000),
        ("google", "gemini-2.5-flash", 1_048_576),
        ("deepseek", "deepseek-chat", 64_000),
    ],
)
def test_well_known_models_are_in_the_catalogue(kind: str, model: str, context: int) -> None:
    catalogue = Catalogue.load()
    assert catalogue.models(kind)[model] == context


def test_every_kind_of_the_catalogue_is_a_kind_of_provider() -> None:
    shipped = json.loads((ROOT / "gaiarouter" / "providers" / "catalogue.json").read_text(encoding="utf-8"))
    assert set(shipped["models"]) <= set(PROFILES)
    assert "MIT" in shipped["notice"]


def test_a_server_of_ones_own_has_no_known_models() -> None:
    assert not Catalogue.load().models("vllm")


def test_no_id_in_the_catalogue_is_unfit_to_be_listed() -> None:
    catalogue = Catalogue.load()
    for kind in PROFILES:
        models = catalogue.models(kind)
        assert list(models) == sorted(set(models))
        assert all(model and model.isascii() and " " not in model for model in models)


def test_the_page_of_providers_is_current() -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "update_providers_page.py"))
    page = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    assert script["with_table"](page) == page, "run python .ci/update_providers_page.py"
