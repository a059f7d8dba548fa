"""docs/adding-a-provider.md, followed in a copy of the tree: its changes apply, and what it adds answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import yaml

from tests.packaging.checkout import copy_tracked, running
from tests.pages.blocks import Block, blocks, commands, pages
from tests.support.ports import free_port
from tests.support.script import Script, json_answer, sse, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

PAGE = "docs/adding-a-provider.md"
CASES = ("-k", "harbour or every_kind")
"""Of the tests that the page has run, those of what it adds: the others are run as they are, not in a copy."""
ASKED = {"model": "harbour/m-1", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = {
    "id": "c-1",
    "object": "chat.completion",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ahoy"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def test_every_block_of_the_page_is_followed() -> None:
    assert {block.language for block in of_page()} == {"yaml", "diff", "python", "sh"}


async def test_the_page_leads_to_providers_that_answer(tmp_path: Path) -> None:
    copy_tracked(tmp_path)
    keys = {"HARBOUR_API_KEY": "k-harbour", "LANTERN_API_KEY": "k-lantern"}
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), **keys}
    for block in of_page():
        follow(block, tmp_path, environ)
    async with ScriptedUpstream(answered) as upstream:
        port = free_port()
        bases = {"harbour": upstream.url("/v1"), "lantern": upstream.url("/v2")}
        (tmp_path / "used.yaml").write_text(yaml.safe_dump(together(bases)))
        command = [sys.executable, "-m", "gaiarouter", "serve", "-c", "used.yaml", "--port", str(port)]
        with running(command, cwd=tmp_path, env=environ, port=port):
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", raise_for_status=True) as session:
                said = await (await session.post("/v1/chat/completions", json=ASKED)).json()
                asked = {**ASKED, "max_tokens": 9, "stream": True}
                streamed = await (await session.post("/v1/messages", json=asked)).text()
                own = await (await session.post("/v1/chat/completions", json={**ASKED, "model": "lantern/m-2"})).json()
        harbour, translated, lantern = upstream.requests
    assert (said["choices"], own["choices"]) == (ANSWER["choices"], ANSWER["choices"])
    assert "Ahoy" in streamed
    assert (harbour.path, harbour.headers["authorization"]) == ("/v1/chat/completions", "Bearer k-harbour")
    assert harbour.json() == {**ASKED, "model": "m-1"}
    assert (translated.json()["stream"], translated.json()["max_completion_tokens"]) == (True, 9)
    assert (lantern.path, lantern.headers["x-api-key"]) == ("/v2/models/m-2/chat", "k-lantern")
    assert lantern.json() == {"messages": ASKED["messages"]}


def of_page() -> list[Block]:
    return [block for block in blocks() if block.page == PAGE]


def follow(block: Block, tree: Path, environ: dict[str, str]) -> None:
    """Does what a reader would."""
    match block.language:
        case "diff":
            run(["git", "apply", "--recount"], tree, environ, block.text)
        case "python":
            (tree / named_before(block)).write_text(block.text, encoding="utf-8")
        case "sh":
            for command in commands(block):
                run([sys.executable, *command.split()[1:], *(CASES if "pytest" in command else ())], tree, environ)


def run(command: list[str], tree: Path, environ: dict[str, str], given: str | None = None) -> None:
    done = subprocess.run(command, cwd=tree, env=environ, input=given, text=True, capture_output=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def named_before(block: Block) -> str:
    """The file that the sentence before a block says to write."""
    lines = dict(pages())[PAGE].splitlines()[: block.line - 1]
    found = re.findall(r"Write `([^`]+)`:", "\n".join(lines))
    return str(found[-1])


def together(bases: dict[str, str]) -> dict[str, object]:
    """Both tables of the page as one, at the addresses of the test."""
    tables = [yaml.safe_load(block.text) for block in of_page() if block.language == "yaml" and "routes" in block.text]
    providers = {name: given for table in tables for name, given in table["providers"].items()}
    return {
        "providers": {name: {**given, "base_url": bases[name]} for name, given in providers.items()},
        "routes": [route for table in tables for route in table["routes"]],
        "auth": {"required": False},
    }


def answered(request: Received) -> Script:
    if not request.json().get("stream"):
        return json_answer(ANSWER)
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "model": "m-1"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": "Ahoy"}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = ({**chunk, "choices": [delta]}, {**chunk, "choices": [end], "usage": ANSWER["usage"]}, b"[DONE]")
    return sse_answer([sse(*events)])
