"""The command line, run as an operator runs it: what it prints where, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from gaiarouter import __version__
from gaiarouter.cli import main
from gaiarouter.config.structure import schema_text

ROOT = str(Path(__file__).parents[1])

TABLE = """\
providers:
  demo: {dialect: echo}
  cloud: {dialect: openai, api_key: "${CLOUD_KEY:-}"}
routes:
  - {match: "gpt-*", targets: [{provider: cloud}], fallbacks: [{provider: demo}]}
  - {match: demo, targets: [{provider: demo}]}
limits: {requests: 5/s}
"""
WARNING = TABLE + "server: {host: 0.0.0.0}\n"
WRONG = TABLE + "sever: {}\nauth: {required: no}\n"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Shell:
    """A folder with a table in it, in which commands are run without what the tests' own environment says."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._capture = folder, patch, capture
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("GAIAROUTER_") or name.endswith("_KEY")]:
            patch.delenv(name)

    def write(self, text: str, name: str = "gaiarouter.yaml") -> Path:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def run(self, *arguments: str, **environ: str) -> Done:
        with self._patch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            try:
                code = main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Done(code, *self._capture.readouterr())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.write(TABLE)
    return shell


def test_check_says_what_is_on_and_what_is_off_and_why(shell: Shell) -> None:
    done = shell.run("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "gaiarouter.yaml: 2 routes, 2 providers",
        "  on:  demo",
        "  off: cloud (CLOUD_KEY is empty)",
    ]


def test_check_prints_every_error_with_its_place_and_ends_with_1(shell: Shell) -> None:
    shell.write(WRONG, "wrong.yaml")
    done = shell.run("check", "wrong.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "wrong.yaml:8:1: sever: unknown key; did you mean `server`?",
        ("wrong.yaml:9:18: auth.required: found 'no', expected true or false; yes, no, on and off are plain text here"),
    ]
    assert done.stderr == "wrong.yaml: 2 errors, 0 warnings\n"


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 1)])
def test_a_warning_fails_a_check_only_if_it_is_strict(flags: tuple[str, ...], code: int, shell: Shell) -> None:
    shell.write(WARNING)
    done = shell.run("check", *flags)
    assert done.returncode == code
    assert "gaiarouter.yaml:8:16: server.host: keys and prompts come to 0.0.0.0 in clear" in done.stdout


def test_the_file_is_found_by_the_option_then_the_environment_then_its_name(shell: Shell) -> None:
    shell.write(TABLE, "option.yaml")
    shell.write(TABLE, "environment.yaml")
    environ = {"GAIAROUTER_CONFIG": "environment.yaml"}
    assert shell.run("check", "-c", "option.yaml", **environ).stdout.startswith("option.yaml: ")
    assert shell.run("check", **environ).stdout.startswith("environment.yaml: ")
    assert shell.run("check").stdout.startswith("gaiarouter.yaml: ")


@pytest.mark.parametrize(
    "command", [("check",), ("explain", "demo"), ("keys", "list"), ("keys", "create", "--name", "x"), ("serve",)]
)
def test_a_missing_file_is_one_line_and_no_traceback(command: tuple[str, ...], shell: Shell) -> None:
    done = shell.run(*command, "-c", "nowhere.yaml")
    assert done.returncode == 1
    assert "nowhere.yaml: cannot be read: No such file or directory" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_serve_does_not_start_with_errors_in_the_file_and_shows_them_all(shell: Shell) -> None:
    shell.write(WRONG)
    done = shell.run("serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()[:2]] == [
        "gaiarouter.yaml:8:1",
        "gaiarouter.yaml:9:18",
    ]


def test_serve_refuses_to_be_open_to_all_without_saying_so(shell: Shell) -> None:
    shell.write(TABLE + "auth: {required: false}\n")
    done = shell.run("serve", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "gaiarouter.yaml:8:18: auth.required: callers need no key" in done.stderr


def test_explain_names_route_chain_and_what_is_off(shell: Shell) -> None:
    done = shell.run("explain", "gpt-4o")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("gpt-4o", "gpt-*", "cloud", "off: CLOUD_KEY is empty", "demo"):
        assert word in done.stdout


def test_explain_gives_json_to_programs(shell: Shell) -> None:
    explained = orjson.loads(shell.run("explain", "demo", "--json").stdout)
    assert (explained["model"], explained["place"]) == ("demo", {"route": "demo", "line": 6})


def test_explain_ends_with_1_for_a_model_nobody_serves(shell: Shell) -> None:
    done = shell.run("explain", "dmeo")
    assert done.returncode == 1
    assert "demo" in done.stdout


def test_explain_says_whom_a_request_is_bound_to(shell: Shell) -> None:
    body = shell.write('{"model": "gpt-4o", "input": "hi", "previous_response_id": "resp_1"}', "body.json")
    done = shell.run("explain", "gpt-4o", "--request", str(body), "--dialect", "responses", CLOUD_KEY="k")
    assert (done.returncode, done.stderr) == (0, "")
    assert "`previous_response_id`: only who keeps it is asked" in done.stdout
    assert "off: not for `previous_response_id`" in done.stdout


@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("{", "not valid JSON"), ("[]", "object")])
def test_explain_tells_what_is_wrong_with_a_request(text: str | None, said: str, shell: Shell) -> None:
    if text is not None:
        shell.write(text, "body.json")
    done = shell.run("explain", "demo", "--request", "body.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("body.json: ")
    assert said in done.stderr


def test_explain_reads_a_request_from_its_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "\xc3\xa9"}], "models": ["demo"]}'
    for text, code in ((body, 0), (b"{", 1)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        done = shell.run("explain", "--request", "-", "--json", CLOUD_KEY="k")
        assert (done.returncode, done.stderr.startswith("-: ")) == (code, bool(code))
        if not code:
            told = orjson.loads(done.stdout)
            assert [group["place"]["route"] for group in told["groups"]] == ["gpt-*", "gpt-*", "demo"]


def test_schema_prints_the_schema_that_is_shipped(shell: Shell) -> None:
    assert shell.run("schema").stdout.encode() == schema_text()


def test_a_new_key_is_all_that_standard_output_gets(shell: Shell) -> None:
    made = shell.run("keys", "create", "--name", "laptop")
    assert made.returncode == 0
    assert re.fullmatch(r"sk-gaia-[0-9A-Za-z]+-[0-9A-Za-z]+\n", made.stdout)
    assert made.stdout.strip() not in made.stderr
    assert "laptop" in made.stderr
    listed = shell.run("keys", "list")
    assert "laptop" in listed.stdout
    assert made.stdout.split("-")[3].strip() not in listed.stdout


def test_a_key_is_revoked_once(shell: Shell) -> None:
    shell.run("keys", "create", "--name", "laptop", "--admin", "--model", "gpt-*", "--expires", "30d")
    line = next(line for line in shell.run("keys", "list").stdout.splitlines() if "laptop" in line)
    assert "admin" in line
    assert "gpt-*" in line
    key_id = line.split()[0]
    assert shell.run("keys", "revoke", key_id).returncode == 0
    assert "revoked" in shell.run("keys", "list").stdout
    again = shell.run("keys", "revoke", key_id)
    assert again.returncode == 1
    assert key_id in again.stderr


def test_migrate_may_be_repeated(shell: Shell) -> None:
    first, second = shell.run("migrate"), shell.run("migrate")
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.startswith("Applied: 0001")
    assert second.stderr == "The tables were up to date.\n"


def test_a_store_that_cannot_be_used_is_one_line_and_no_traceback(shell: Shell) -> None:
    shell.write(TABLE + "store: sqlite:///no/such/folder/x.db\n")
    done = shell.run("keys", "list")
    assert done.returncode == 1
    assert done.stderr.startswith("The store: ")
    assert "Traceback" not in done.stderr


WRONG_USAGE = {
    "no command": ((), "COMMAND"),
    "an unknown command": (("sreve",), "sreve"),
    "no command for keys": (("keys",), "COMMAND"),
    "an unknown option": (("check", "--stric"), "--stric"),
    "a port too high": (("serve", "--port", "65536"), "expected a whole number from 1 to 65535"),
    "a port that is a word": (("serve", "--port", "http"), "'http': expected a whole number"),
    "no workers": (("serve", "--workers", "0"), "from 1 to 256, or auto"),
    "a key without a name": (("keys", "create"), "--name"),
    "a key's empty name": (("keys", "create", "--name", ""), "1 to 64 printable characters"),
    "a rate without unit": (("keys", "create", "--name", "x", "--requests", "5"), "expected one such as 60/min"),
    "an expiry without unit": (("keys", "create", "--name", "x", "--expires", "30"), "expected one such as 12h or 30d"),
    "no model to explain": (("explain",), "MODEL"),
}


@pytest.mark.parametrize("name", WRONG_USAGE)
def test_wrong_usage_ends_with_2_and_says_what_was_expected(name: str, shell: Shell) -> None:
    arguments, words = WRONG_USAGE[name]
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("serve",),
        ("check",),
        ("explain",),
        ("keys", "create"),
        ("keys", "list"),
        ("keys", "revoke"),
        ("migrate",),
        ("schema",),
    ],
)
def test_the_help_of_a_command_explains_it_and_gives_an_example(command: tuple[str, ...], shell: Shell) -> None:
    done = shell.run(*command, "--help")
    assert done.returncode == 0
    assert f"  gaiarouter {' '.join(command)}" in done.stdout.split("examples:\n")[1]


def test_the_version_is_the_package_s(shell: Shell) -> None:
    assert shell.run("--version").stdout == f"gaiarouter {__version__}\n"


@pytest.mark.parametrize("command", ["check", "explain demo", "schema", "--help"])
def test_a_command_that_only_reads_the_file_does_not_load_the_server(command: str, shell: Shell) -> None:
    script = (
        "import sys\nfrom gaiarouter.cli import main\n"
        f"try: main({command.split()!r})\nexcept SystemExit: pass\n"
        "print(sorted({'aiohttp', 'uvloop', 'asyncpg', 'sqlite3'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=shell.folder,
        env={"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("unused", ["asyncpg", "ctypes"], ids=["PostgreSQL", "a limit of memory"])
def test_a_gateway_does_not_load_what_its_configuration_does_not_use(unused: str) -> None:
    loads = f"import sys, gaiarouter.assembly.process; print({{'aiohttp', 'sqlite3', {unused!r}}} - sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{{{unused!r}}}\n"
