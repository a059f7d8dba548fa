"""docs/routing.md shows what happens."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from gaiarouter.config.loader import load_settings
from gaiarouter.config.settings import Settings
from gaiarouter.errors import Overloaded, Rejected, Unreachable, UpstreamError
from gaiarouter.providers import known_kinds
from gaiarouter.routing.attempts import Plan
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.explain import explain, render_text
from gaiarouter.routing.table import Table

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    Path("gaiarouter.yaml").write_text(_block("yaml"))
    environ = {"OPENAI_API_KEY": "one", "OPENROUTER_API_KEY": "two"}
    return load_settings("gaiarouter.yaml", environ=environ, known_kinds=known_kinds())


def test_the_pages_example_is_explained_as_it_says(example: Settings) -> None:
    assert render_text(explain(Table(example), "gpt-4o")) + "\n" == _block("text")


@pytest.mark.parametrize(
    ("errors", "tried"),
    [
        ([Unreachable("x")], ["openai", "openrouter"]),
        ([Overloaded("x")] * 2, ["openai", "openrouter", "vllm"]),
        ([Overloaded("x")] * 3, ["openai", "openrouter", "vllm"]),
        ([Rejected("x", status=400, condition="context_length")], ["openai", "openrouter"]),
        ([Rejected("x", status=400)], ["openai"]),
    ],
)
def test_the_pages_cases_go_as_it_says(example: Settings, errors: list[UpstreamError], tried: list[str]) -> None:
    match = Table(example).match("gpt-4o")
    assert match is not None
    # a seed with which the draw by weight puts openai first
    plan, got = Plan(match, example.providers, Health(), Random(1), 0.0), []
    while (attempt := plan.next(0.0)) is not None:
        got.append(attempt.target.provider)
        if len(got) > len(errors):
            plan.succeeded(attempt, 0.0, 0.1)
        else:
            plan.failed(attempt, errors[len(got) - 1], 0.0)
    assert got == tried
