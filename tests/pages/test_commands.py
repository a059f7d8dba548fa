"""Every command on a page exists: its words and flags, the modules and files it names, the address it asks."""

from __future__ import annotations

import argparse
import re
import subprocess
from importlib.util import find_spec

import pytest

from gaiarouter.app import Gateway
from gaiarouter.config.arguments import build_parser
from gaiarouter.config.settings import Settings
from gaiarouter.server.openapi.data_plane import data_plane_paths
from gaiarouter.server.openapi.document import openapi
from gaiarouter.server.routes import DATA_PLANE, FORMS, KEPT_PATHS, MODEL_METHODS
from tests.packaging.checkout import ROOT
from tests.pages.blocks import FENCE, blocks, calls, commands, inline, pages

LANGUAGES = {"console", "diff", "ini", "json", "python", "sh", "toml", "yaml"}
"""What a block may be: each is held to something in this folder."""
NOT_RUN = {
    "text": "what something prints",
    "nginx": "nginx is not everywhere; tried by hand, as the page says",
}
"""What else a block may be, and why nothing holds it."""
SHELL = blocks("sh", "console")
IN_TREE = re.compile(r"(?:\.ci|bench|config|docs|gaiarouter|tests)/[\w./-]*\w")

MADE = {"gaiarouter/providers/lantern.py"}
"""Files that a page has its reader make."""


def test_every_block_says_what_it_is() -> None:
    assert [block.place for block in blocks() if block.language not in {*LANGUAGES, *NOT_RUN}] == []
    assert {block.language for block in blocks()} >= NOT_RUN.keys()


def test_every_command_stands_in_a_block_with_a_fence() -> None:
    """Indented alone it would be held to nothing."""
    indented = re.compile(r"^ {4,}(?:\$ )?(?:\S*/)?(?:gaiarouter|python|curl|docker|kubectl|make) ", re.MULTILINE)
    assert [
        (page, indented.findall(FENCE.sub("", text))) for page, text in pages() if indented.search(FENCE.sub("", text))
    ] == []


def test_the_shell_takes_every_line() -> None:
    script = "\n".join(command for block in SHELL for command in commands(block))
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def called() -> list[tuple[str, list[str]]]:
    """Every call of the gateway in a block, with its place."""
    return [
        (block.place, arguments)
        for block in SHELL
        for command in commands(block)
        for arguments in calls(command, "gaiarouter")
    ]


@pytest.mark.parametrize(("place", "arguments"), called(), ids=str)
def test_a_call_in_a_block_is_taken_as_it_stands(place: str, arguments: list[str]) -> None:
    build_parser().parse_args(arguments)


def test_a_call_in_a_sentence_names_what_there_is() -> None:
    mentioned = [(page, words) for page, words in inline() if re.match(r"gaiarouter( |$)", words)]
    assert len(mentioned) > 20
    assert [(page, words, wrong) for page, words in mentioned for wrong in unknown(words.split()[1:])] == []


def unknown(words: list[str]) -> list[str]:
    """Commands and flags among the words that there are not."""
    parser, wrong = build_parser(), []
    for word in words:
        below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if below and not word.startswith("-"):
            if word not in below[0].choices:
                return [word]
            parser = below[0].choices[word]
        elif word.startswith("-") and word not in parser._option_string_actions:
            wrong.append(word)
    return wrong


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("keys create --nam x", ["--nam"]), ("chek", ["chek"]), ("keys mak", ["mak"]), ("explain --request FILE", [])],
)
def test_an_unknown_word_is_seen(words: str, wrong: list[str]) -> None:
    assert unknown(words.split()) == wrong


def test_modules_and_files_that_are_named_are_there() -> None:
    named = [(block.page, part) for block in SHELL for part in block.text.split()] + [
        (page, part) for page, words in inline() for part in words.split()
    ]
    files = {(page, found[0]) for page, part in named if (found := IN_TREE.fullmatch(part))}
    assert len(files) > 20
    assert {(page, file) for page, file in files if not (ROOT / file).exists()} == {
        (page, file) for page, file in files if file in MADE
    }
    modules = {
        found
        for _, text in [*((b.page, b.text) for b in SHELL), *inline()]
        for found in re.findall(r"python -m (\S+)", text)
    }
    assert {"bench"} <= modules
    assert {module for module in modules if find_spec(module) is None} == set()


def test_endpoints_that_are_named_are_served() -> None:
    models = data_plane_paths(DATA_PLANE, FORMS, MODEL_METHODS, KEPT_PATHS)
    document = openapi(Gateway(Settings()).control.operations, version="", models=models)
    served = {(method.upper(), shape(path)) for path, methods in document["paths"].items() for method in methods}
    named = {
        (page, method, path)
        for page, words in inline()
        for methods, path in re.findall(r"^((?:[A-Z]+, )*[A-Z]{3,6}) (/[^\s?]+)", words)
        for method in methods.split(", ")
    }
    assert len(named) > 20
    assert {each for each in named if (each[1], shape(each[2])) not in served} == set()


def shape(path: str) -> str:
    """A path with what stands for something else taken out: `{id}`, `ID`, `…`."""
    return re.sub(r"\{\w+\}|(?<=/)[A-Z]{2,}|…", "*", path)
