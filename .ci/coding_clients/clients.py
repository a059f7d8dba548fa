"""The coding clients: how each is told to work through a gateway on this machine, and to tell nobody else of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROMPT = "Read note.txt in this folder and tell me the word that is in it."


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a client: url and key are the gateway's, home and work folders of this run alone."""

    url: str
    key: str
    model: str
    home: Path
    work: Path
    packages: Path
    node: Path


@dataclass(frozen=True, slots=True)
class Client:
    """tool, arguments: a call of the client's own tools that shows it the note. dialect: what it speaks.

    prepare: writes its settings, and gives its command and what its environment has besides the common.
    """

    dialect: str
    tool: str
    arguments: Callable[[Run], Mapping[str, Any]]
    prepare: Callable[[Run], tuple[list[str], dict[str, str]]]


def environment(run: Run) -> dict[str, str]:
    """Whatever is not for this machine goes to a port that nobody listens on."""
    here = "127.0.0.1,localhost"
    nowhere = "http://127.0.0.1:9"
    return {
        "PATH": f"{run.node.parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(run.home),
        "TERM": "dumb",
        "CI": "1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), nowhere),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), here),
    }


def _claude_code(run: Run) -> tuple[list[str], dict[str, str]]:
    environ = {
        "ANTHROPIC_BASE_URL": run.url,
        "ANTHROPIC_API_KEY": run.key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    wrapper = run.packages / "@anthropic-ai" / "claude-code" / "cli-wrapper.cjs"
    return [str(run.node), str(wrapper), "-p", PROMPT, "--model", run.model, "--allowedTools", "Read"], environ


_CODEX_SETTINGS = """\
model = "{model}"
model_provider = "gateway"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


def _codex(run: Run) -> tuple[list[str], dict[str, str]]:
    folder = run.home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(_CODEX_SETTINGS.format(model=run.model, url=run.url))
    script = run.packages / "@openai" / "codex" / "bin" / "codex.js"
    # the command that it is told to run is the one below, in a folder of its own
    flags = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    return [str(run.node), str(script), "exec", *flags, PROMPT], {"GATEWAY_KEY": run.key}


def _gemini_cli(run: Run) -> tuple[list[str], dict[str, str]]:
    folder = run.home / ".gemini"
    folder.mkdir()
    settings = {
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    environ = {
        "GEMINI_API_KEY": run.key,
        "GOOGLE_GEMINI_BASE_URL": run.url,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    script = run.packages / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    return [str(run.node), str(script), "-p", PROMPT, "-m", run.model], environ


CLIENTS: Mapping[str, Client] = {
    "Claude Code": Client("messages", "Read", lambda run: {"file_path": str(run.work / "note.txt")}, _claude_code),
    "Codex": Client("responses", "exec_command", lambda run: {"cmd": "cat note.txt"}, _codex),
    "Gemini CLI": Client("gemini", "read_file", lambda run: {"file_path": "note.txt"}, _gemini_cli),
}
