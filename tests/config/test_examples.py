"""The file that is shipped and the examples to copy: right, without warnings, and as their comments say."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from gaiarouter.cli import main
from gaiarouter.config.arguments import build_parser
from gaiarouter.config.loader import Loaded, load
from gaiarouter.providers import known_kinds

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(set((ROOT / "config").glob("*.yaml")) - set((ROOT / "config").glob("*.test.yaml")))
SHIPPED = ROOT / "gaiarouter.yaml"


def load_with_variables(file: Path) -> Loaded:
    names = re.findall(r"\$\{([A-Z_]+)", file.read_text(encoding="utf-8"))
    environ = {name: _made_up(name) for name in names}
    return load(file, environ=environ, known_kinds=known_kinds())


def _made_up(name: str) -> str:
    match name.rpartition("_")[2]:
        case "ENDPOINT":
            return "https://host.example.com"
        case "STORE":
            return "postgresql://user:password@host/database"
        case "REDIS":
            return "redis://host"
        case _:
            return f"key-{name}"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9


@pytest.mark.parametrize("file", [SHIPPED, *EXAMPLES], ids=lambda file: file.name)
def test_an_example_is_right_and_free_of_warnings(file: Path) -> None:
    loaded = load_with_variables(file)
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert {provider.off for provider in loaded.settings.providers.values()} == {None}


@pytest.mark.parametrize("file", [SHIPPED, *EXAMPLES], ids=lambda file: file.name)
def test_an_example_names_the_schema_where_it_is(file: Path) -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text(encoding="utf-8"))
    assert found is not None
    assert (file.parent / found[1]).resolve() == ROOT / "gaiarouter" / "config" / "schema.json"


def test_without_keys_the_shipped_file_serves_the_demo_alone() -> None:
    loaded = load(SHIPPED, environ={}, known_kinds=known_kinds())
    assert loaded.problems == ()
    assert loaded.settings is not None
    off = {name: provider.off for name, provider in loaded.settings.providers.items()}
    assert off == {
        "openai": "OPENAI_API_KEY is empty",
        "anthropic": "ANTHROPIC_API_KEY is empty",
        "google": "GOOGLE_API_KEY is empty",
        "openrouter": "OPENROUTER_API_KEY is empty",
        "demo": None,
    }
    assert loaded.settings.auth.required
    assert loaded.settings.store.reveal() == "sqlite:///gaiarouter.db"


def test_the_keys_of_the_example_keep_their_weights() -> None:
    settings = load_with_variables(ROOT / "config" / "several-keys.yaml").settings
    assert settings is not None
    assert [key.weight for key in settings.providers["openai"].keys] == [4, 1, 1]


PAGE = ROOT / "docs" / "configuration.md"


def test_the_page_s_own_example_is_right_and_its_mistake_reads_as_printed(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```.*?```text\n(.*?)\n```", page, re.DOTALL)
    assert found is not None
    text, printed = found.groups()
    file = tmp_path / "gaiarouter.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, known_kinds=known_kinds()).problems == ()
    file.write_text(text.replace("{provider: openai}", "{provider: opnai}"), encoding="utf-8")
    (problem,) = load(file, known_kinds=known_kinds()).problems
    assert str(problem) == str(tmp_path / printed)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_routes_as_its_tests_say(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if re.search(r"_API_KEY|_ENDPOINT$|^GAIAROUTER_", name)]:
        monkeypatch.delenv(name)
    assert file.with_suffix(".test.yaml").exists()
    assert main(["test", "-c", str(file)]) == 0
    assert re.search(r"^\d+ tests, all passed$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_commands_in_an_example_s_head_are_taken_and_name_it(file: Path) -> None:
    for line in re.findall(r"^#   .*?\b(gaiarouter .*)$", file.read_text(encoding="utf-8"), re.MULTILINE):
        arguments = build_parser().parse_args(shlex.split(line)[1:])
        assert arguments.config == f"config/{file.name}"


def test_the_list_of_examples_is_whole_and_says_for_whom_each_is() -> None:
    page = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[([\w.-]+)\]\(\1\) \| (.+) \|$", page, re.MULTILINE))
    assert listed.keys() == {file.name for file in EXAMPLES}
