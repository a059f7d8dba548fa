"""The README's lines do what it says, from nothing but the files of the repository."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT, copy_tracked, environment, running
from tests.support.ports import free_port

README = (ROOT / "README.md").read_text()
START, CURL, TEST = (block.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SCREEN = 50, 160
"""Lines of a tall terminal, and characters of one: only a command to be copied is longer."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    copy_tracked(folder)
    return folder


def test_the_first_line_starts_it_and_the_second_gets_a_streamed_answer(clone: Path) -> None:
    port = free_port()
    env = environment(GAIAROUTER_PORT=str(port), PIP_ONLY_BINARY=":all:")
    with running(["bash", "-c", START], cwd=clone, env=env, port=port) as server:
        assert "Hello" in _ask(clone, env, port)
        assert "Hello" in _ask(clone, {**env, "GAIAROUTER_KEY": server.first_key}, port)
        (snippet,) = SNIPPETS
        assert "Hello" in _run_snippet(snippet, server.first_key, port)

    with running(["bash", "-c", START], cwd=clone, env=env, port=port) as server:
        assert "Hello" in _ask(clone, env, port)
        assert "first key" not in server.printed.read_text()


def _ask(clone: Path, env: dict[str, str], port: int) -> str:
    """Runs the curl line; the text of its answer, which is a whole stream."""
    line = CURL.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    assert line != CURL
    done = subprocess.run(
        ["bash", "-c", line], cwd=clone, env=env, capture_output=True, text=True, timeout=120, check=True
    )
    events = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    assert events[-1] == "[DONE]", done.stdout
    chunks = [json.loads(event) for event in events[:-1]]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def _run_snippet(snippet: str, key: str, port: int) -> str:
    """In this environment, which has the vendors' libraries."""
    source = snippet.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    env = environment(GAIAROUTER_KEY=key)
    command = [sys.executable, "-c", source]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True).stdout.strip()


def test_it_is_one_screen() -> None:
    lines, characters = SCREEN
    screen = README.splitlines()
    assert len(screen) <= lines
    read = [line for line in screen if line not in (START, CURL, TEST)]
    rows = [re.sub(r"\]\([^)]*\)", "]", line) for line in read]  # as it is read, not as it is written
    assert [row for row in rows if len(row) > characters] == []


def test_ci_runs_the_line_for_the_tests_as_it_stands() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m1 -E '(.*?)' README.md", script)
    assert pattern is not None
    assert [line for line in README.splitlines() if re.search(pattern[1], line)] == [TEST]


def test_both_lines_install_the_same_way() -> None:
    """The second was run to get here; the first is run above."""
    tests = START.replace("requirements.lock", "requirements-dev.lock").replace("gaiarouter serve", "pytest")
    assert f"{tests} -n 2 --dist loadfile" == TEST


def test_every_page_that_the_readme_names_is_there() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", README)
    assert named
    assert [name for name in named if "://" not in name and not (ROOT / name).exists()] == []
