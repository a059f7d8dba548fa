"""What stands in code on the pages (the README, config/README.md, docs/): fenced blocks, and words in sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.packaging.checkout import ROOT

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^ *(?P=fence)$", re.MULTILINE | re.DOTALL
)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAMING = {"kubectl": "--", "helm": "--", "docker": "exec", "sudo": "--", "cd": "--"}
"""Whose arguments are names of things, and the word behind which a command comes."""
HEREDOC = re.compile(r"<<'?(\w+)'?")


@dataclass(frozen=True, slots=True)
class Block:
    """`page`: relative to the repository. `line`: of the page, where the fence is."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[tuple[str, str], ...]:
    """Every page's name and text."""
    files: list[Path] = [ROOT / "README.md", ROOT / "config" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return tuple((file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)


@cache
def blocks(*languages: str) -> tuple[Block, ...]:
    """Of these languages; of all if none is named."""
    return tuple(
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"].strip(), _dedented(found))
        for page, text in pages()
        for found in FENCE.finditer(text)
        if not languages or found["language"].strip() in languages
    )


def _dedented(found: re.Match[str]) -> str:
    return re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)


def inline() -> Iterator[tuple[str, str]]:
    """Page and words in code, outside of fenced blocks; the sentence's line breaks do not count."""
    for page, text in pages():
        for words in INLINE.findall(FENCE.sub("", text)):
            yield page, words


def commands(block: Block) -> Iterator[str]:
    """The commands of a `sh` or `console` block, each with its continuations and its here-document."""
    lines = iter(block.text.splitlines())
    for line in lines:
        command = line
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ")
        while command.endswith("\\"):
            command = f"{command}\n{next(lines)}"
        if (end := HEREDOC.search(command)) is not None:
            command = "\n".join([command, *_until(end[1], lines)])
        if command.strip() and not command.startswith("#"):
            yield command


def _until(end: str, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line == end:
            return


def calls(command: str, program: str) -> Iterator[list[str]]:
    """The arguments of each call of `program` in a command of the shell."""
    lexer = shlex.shlex(
        command.partition("\n")[0] if "<<" in command else command, posix=True, punctuation_chars="();<>|&"
    )
    lexer.whitespace_split = True
    lexer.commenters = "#"
    arguments: list[str] | None = None
    before: list[str] = []
    for token in lexer:
        if set(token) <= set("();<>|&"):
            if arguments is not None:
                yield arguments
            arguments, before = None, []
        elif arguments is not None:
            arguments.append(token)
        elif token.endswith(f"/bin/{program}") or (token.rpartition("/")[2] == program and not _names(before)):
            arguments = []
        else:
            before.append(token)
    if arguments is not None:
        yield arguments


def _names(before: list[str]) -> bool:
    return bool(before) and NAMING.get(before[0], before[0]) not in before
