"""The command, what it reports, what it refuses to read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gaiarouter.cli import main
from gaiarouter.config.litellm.source import UnreadableError
from tests.config.litellm import imported, table_of

SIMPLE = """\
model_list:
  - model_name: small
    litellm_params: {model: openai/gpt-5-mini, api_key: os.environ/OPENAI_API_KEY}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_API_KEY}
litellm_settings: {drop_params: true}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
"""


def test_a_simple_file(tmp_path: Path) -> None:
    assert table_of(SIMPLE, tmp_path) == {
        "providers": {"openai": {"api_key": "${OPENAI_API_KEY:-}"}, "anthropic": {"api_key": "${ANTHROPIC_API_KEY:-}"}},
        "routes": [
            {"match": "small", "targets": [{"provider": "openai", "model": "gpt-5-mini"}]},
            {"match": "claude", "targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]},
        ],
    }
    assert imported(SIMPLE, tmp_path).is_whole


REPORTED = """\
model_list:
  - model_name: cloud
    litellm_params: {model: bedrock/anthropic.claude-v2, aws_region_name: eu-west-1}
  - model_name: mystery
    litellm_params: {model: some-model}
  - model_name: fine
    litellm_params: {model: groq/fine, tags: [a]}
guardrails: []
litellm_settings: {drop_params: true, callbacks: [langfuse], novelty: 1}
general_settings: {master_key: sk-1}
"""


def test_the_report_says_where_and_what(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    done = imported(REPORTED, tmp_path)
    lines = [line.removeprefix(f"{file}:") for line in done.report.splitlines()]
    assert [line.partition(": ")[0] for line in lines[:-1]] == ["3:22", "5:22", "7:40", "8:1", "9:39", "9:62", "10:20"]
    assert "'some-model'" in lines[1]
    assert lines[5] == "9:62: litellm_settings.novelty: not known to this import (left out)"
    assert lines[-1] == "1 of 3 deployments came along; 6 left out, 1 to know"
    assert not done.is_whole


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("- a\n", "sections"),
        ("", "sections"),
        ("model_list: {a: 1}\n", "model_list"),
        ("model_list: [\n", "not YAML"),
        ("model_list: !!python/object:os.system []\n", "not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_configuration(text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=word):
        imported(text, tmp_path)


def test_a_bomb_of_aliases(tmp_path: Path) -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UnreadableError, match="aliases"):
        imported("\n".join(layers), tmp_path)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "config.yaml", tmp_path / "gaiarouter.yaml"
    source.write_text(SIMPLE, encoding="utf-8")
    assert main(["import", "litellm", str(source), "--out", str(out)]) == 0
    assert main(["import", "litellm", str(source), "--out", str(out)]) == 2, "it overwrites nothing"
    said = capsys.readouterr().err
    assert "2 of 2 deployments came along" in said
    assert said.endswith(f"\n{out}: File exists\n")
    assert main(["import", "litellm", str(source)]) == 0
    assert capsys.readouterr().out == out.read_text("utf-8")
    assert main(["check", str(out)]) == 0
    source.write_text(REPORTED, encoding="utf-8")
    assert main(["import", "litellm", str(source)]) == 1
    assert main(["import", "litellm", str(tmp_path / "missing.yaml")]) == 2
    assert capsys.readouterr().err.endswith(f"\n{tmp_path / 'missing.yaml'}: No such file or directory\n")


def test_the_page_shows_what_comes_of_its_example(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/migrating-from-litellm.md").read_text("utf-8")
    theirs, ours, told = re.findall(r"```(?:yaml|text)\n(.*?)```", page, re.DOTALL)[:3]
    done = imported(theirs, tmp_path)
    assert done.text == ours
    assert done.report.replace(str(tmp_path) + "/", "") + "\n" == told
