"""The Dockerfile, kept true where no container engine runs: its steps are run in a folder that stands for the image."""

from __future__ import annotations

import fnmatch
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT, copy_tracked, environment, running
from tests.packaging.dockerfile import Instruction, stages
from tests.support.ports import free_port

BUILD, FINAL = stages((ROOT / "Dockerfile").read_text())
EVERY = [*BUILD, *FINAL]
PATHS = re.compile(r"(?<![\w.])/(opt|src|data|etc)\b")


def only(name: str, stage: list[Instruction] = FINAL) -> Instruction:
    (found,) = (instruction for instruction in stage if instruction.name == name)
    return found


@dataclass(frozen=True, slots=True)
class Image:
    """A folder with the files of the final stage, its environment and its commands."""

    root: Path

    def inside(self, text: str) -> str:
        return PATHS.sub(rf"{self.root}/\1", text)

    def env(self, **more: str) -> dict[str, str]:
        env = environment(**more)
        for instruction in FINAL:
            for word in instruction.words if instruction.name == "ENV" else ():
                name, _, value = word.partition("=")
                env[name] = self.inside(value.replace("$PATH", env["PATH"]))
        return env

    def files(self) -> dict[str, tuple[int, int]]:
        """Everything outside /data, with size and time of change: what a read-only root protects."""
        found = (path for top in ("opt", "etc") for path in (self.root / top).rglob("*") if not path.is_symlink())
        return {str(path): ((stat := path.stat()).st_size, stat.st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Runs the steps of both stages in their order."""
    context = tmp_path_factory.mktemp("context")
    copy_tracked(context)
    made = Image(tmp_path_factory.mktemp("image"))
    for stage in (BUILD, FINAL):
        folder = made.root
        for instruction in stage:
            folder = _carry_out(instruction, made, context, folder)
    shutil.rmtree(made.root / "src")
    return made


def _carry_out(instruction: Instruction, image: Image, context: Path, folder: Path) -> Path:
    """Does one step; the working directory after it."""
    match instruction.name:
        case "WORKDIR":
            folder = Path(image.inside(instruction.text))
            folder.mkdir(parents=True, exist_ok=True)
        case "COPY" if "from" not in instruction.flags:  # between the stages everything stays where it is
            *sources, to = instruction.words
            _copy([context / source for source in sources], folder / image.inside(to), is_folder=to.endswith("/"))
        case "RUN":
            command = image.inside(instruction.text.replace("python -m venv", f"{sys.executable} -m venv"))
            done = subprocess.run(
                ["sh", "-ec", command], cwd=folder, env=environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{instruction.text}\n{done.stdout}{done.stderr}"
    return folder


def _copy(sources: list[Path], to: Path, *, is_folder: bool) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            shutil.copy2(source, to / source.name if is_folder else to)


def test_the_image_serves_is_healthy_and_writes_to_its_volume_only(image: Image) -> None:
    port = free_port()
    env = image.env(GAIAROUTER_PORT=str(port))
    before = image.files()
    program, *rest = [*only("ENTRYPOINT").exec_form, *only("CMD").exec_form]
    command = [image.root / "opt" / "gaiarouter" / "bin" / program, *rest]
    data = Path(image.inside(only("WORKDIR").text))
    healthcheck = only("HEALTHCHECK").text.removeprefix("CMD ")
    probe = Instruction("CMD", {}, healthcheck).exec_form
    probe[0] = str(image.root / "opt" / "gaiarouter" / "bin" / probe[0])

    with running(command, cwd=data, env=env, port=port) as server:
        assert subprocess.run(probe, env=env, cwd=data, timeout=60, check=False).returncode == 0
        assert _status(port, server.first_key) == 200
    assert subprocess.run(probe, env=env, cwd=data, capture_output=True, timeout=60, check=False).returncode != 0
    assert image.files() == before
    assert (data / "gaiarouter.db").exists()


def test_as_the_first_process_of_its_container_it_ends_when_told(image: Image) -> None:
    """The kernel withholds from a first process what it has no handler for; and nobody but it buries its children."""
    if shutil.which("unshare") is None:
        pytest.skip("without namespaces (Linux's `unshare`) nothing here can be a first process")
    port = free_port()
    program, *rest = [*only("ENTRYPOINT").exec_form, *only("CMD").exec_form]
    own_namespace = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    command = [*own_namespace, image.root / "opt" / "gaiarouter" / "bin" / program, *rest]
    data = Path(image.inside(only("WORKDIR").text))
    env = image.env(GAIAROUTER_PORT=str(port), GAIAROUTER_WORKERS="2")
    with running(command, cwd=data, env=env, port=port, told=True) as server:
        (first,) = (int(pid) for pid in _children(server.pid))
        assert Path(f"/proc/{first}/status").read_text().partition("NSpid:")[2].split()[1] == "1"
        os.kill(first, signal.SIGTERM)
    assert not Path(f"/proc/{first}").exists()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _status(port: int, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = '{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_installed_package_is_the_source_tree(image: Image) -> None:
    (installed,) = (image.root / "opt" / "gaiarouter" / "lib").glob("python3*/site-packages/gaiarouter")
    wanted = {
        path.relative_to(ROOT / "gaiarouter").as_posix()
        for path in (ROOT / "gaiarouter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {
        path.relative_to(installed).as_posix()
        for path in installed.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == wanted


def test_it_runs_as_a_number_without_rights() -> None:
    user, _, group = only("USER").text.partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert [instruction.name for instruction in FINAL].index("USER") > max(
        index for index, instruction in enumerate(FINAL) if instruction.name in {"COPY", "RUN"}
    )
    assert [copy.flags["chown"] for copy in FINAL if copy.text == "/data /data"] == [only("USER").text]


def test_the_base_is_one_slim_image_pinned_to_a_patch_release() -> None:
    bases = {stage[0].words[0] for stage in (BUILD, FINAL)}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_only_wheels_with_hashes_come_in_from_outside() -> None:
    installs = [step.text for step in EVERY if step.name == "RUN" and "pip install" in step.text]
    assert installs
    for text in installs:
        from_outside = "--require-hashes" in text and "--only-binary :all:" in text
        assert from_outside or "--no-deps --no-build-isolation ." in text
    assert not any(re.search(r"curl|wget|apt-get|\bADD\b", step.text) for step in EVERY)


def test_nothing_in_it_is_secret() -> None:
    named = [step.text for step in EVERY if step.name in {"ENV", "ARG", "ADD"}]
    assert not any(re.search(r"key|token|secret|password", text, re.IGNORECASE) for text in named)
    assert not any(step.name in {"ARG", "ADD"} for step in EVERY)


def test_what_is_copied_is_let_through_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_through = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for step in EVERY if step.name == "COPY" and "from" not in step.flags for word in step.words[:-1]}
    assert copied == let_through
    refused = [line for line in lines[1:] if not line.startswith("!")]
    for name in ("gaiarouter/x/__pycache__", "gaiarouter/x.pyc", "gaiarouter/gaiarouter.db-wal", "gaiarouter/.env"):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in refused)
