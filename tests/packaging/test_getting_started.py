"""docs/getting-started.md, run as it stands: every command in order, and what it prints compared with the page."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "getting-started.md"
ANYTHING = "…"
BOUND_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the page, and the lines that it is said to print."""

    command: str
    printed: tuple[str, ...]


def steps(page: str) -> Iterator[Step]:
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            lines = part.splitlines()
            end = lines.index("END") + 1 if "<<'END'" in lines[0] else 1
            yield Step("\n".join(lines[:end]), tuple(lines[end:]))


def differs(printed: str, wanted: tuple[str, ...]) -> str | None:
    """None if they agree: `…` is anything in a line, and any lines if it stands alone."""
    lines, at = printed.splitlines(), 0
    for number, line in enumerate(wanted):
        if line == ANYTHING:
            rest = wanted[number + 1 :]
            if not rest:
                return None
            following = [place for place in range(at, len(lines)) if matches(lines[place], rest[0])]
            if not following:
                return f"no line like {rest[0]!r} in {lines[at:]}"
            at = following[0]
        elif at < len(lines) and matches(lines[at], line):
            at += 1
        else:
            return f"wanted {line!r}, got {lines[at] if at < len(lines) else 'the end'!r}"
    return None if at == len(lines) else f"more lines than wanted: {lines[at:]}"


def matches(line: str, wanted: str) -> bool:
    pattern = re.sub(r"([\[\]?*])", lambda found: f"[{found[1]}]", wanted)
    return fnmatch.fnmatchcase(line, pattern.replace(ANYTHING, "*"))


class Shell:
    """One bash for the whole page, so that exports and `cd` hold; servers run beside it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._port = str(port)
        environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        environ |= {"GAIAROUTER_PORT": self._port, "PYTHONWARNINGS": "error"}
        self._bash = subprocess.Popen(
            ["bash"], cwd=folder, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._serving = False

    def run(self, step: Step) -> str:
        """What the command printed, with the page's port in place of the test's."""
        if step.command == "gaiarouter serve":
            return self._serve(step)
        return self._say(step.command)

    def close(self) -> None:
        os.killpg(self._bash.pid, signal.SIGTERM)
        self._bash.communicate(timeout=BOUND_S)

    def _serve(self, step: Step) -> str:
        """In the background: returns when all that the page shows has been printed."""
        if self._serving:
            self._say("kill %1; wait %1 2> /dev/null")
        self._say("gaiarouter serve > serving.txt 2>&1 &")
        self._serving = True
        deadline = time.monotonic() + BOUND_S
        while differs(printed := self._say("cat serving.txt"), step.printed) and time.monotonic() < deadline:
            self._say("python -c 'import time; time.sleep(0.1)'")
        return printed

    def _say(self, command: str) -> str:
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(command.replace(":8000", f":{self._port}") + '\necho; echo "-- done $?"\n')
        self._bash.stdin.flush()
        printed = []
        for line in self._bash.stdout:
            if line.startswith("-- done "):
                break
            printed.append(line)
        return "".join(printed).removesuffix("\n").replace(f":{self._port}", ":8000")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    shutil.copy(ROOT / "gaiarouter.yaml", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shell = Shell(tmp_path, port)
    yield shell
    shell.close()


def test_the_page_prints_what_it_says(shell: Shell) -> None:
    for step in steps(PAGE.read_text(encoding="utf-8")):
        wrong = differs(shell.run(step), step.printed)
        assert wrong is None, f"`{step.command}`: {wrong}"


@pytest.mark.parametrize(
    ("printed", "wanted", "agrees"),
    [
        ("a\nb", ("a", "b"), True),
        ("a 17 [x]", ("a … [x]",), True),
        ("a\nb\nc", ("a", "…", "c"), True),
        ("a\nb\nc", ("a", "…"), True),
        ("a\nb", ("a",), False),
        ("a", ("a", "b"), False),
        ("a\nb\nd", ("a", "…", "c"), False),
        ("ab", ("a?",), False),
    ],
)
def test_a_page_that_says_otherwise_is_noticed(printed: str, wanted: tuple[str, ...], agrees: bool) -> None:
    assert (differs(printed, wanted) is None) is agrees
