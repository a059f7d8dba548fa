"""What is measured: each subject is a process of its own on a port of its own, in front of the same upstream."""

from __future__ import annotations

import http.client
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import processes, wire

FIRST_ANSWER_BOUND_S = 30.0

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn; worker_processes 1; worker_rlimit_nofile 60000;
events {{ worker_connections 50000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_requests 1000000; client_max_body_size 64m; client_body_buffer_size 1m;
    upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
            proxy_connect_timeout 5s; proxy_read_timeout 60s;
        }}
    }}
}}
"""

GATEWAY = """
server: {{host: 127.0.0.1, port: {port}, workers: {workers}, max_requests: 20000}}
store: sqlite:///{folder}/bench.db
providers:
  upstream: {{dialect: openai, base_url: "http://127.0.0.1:{upstream}/v1", api_key: sk-bench}}
  anthropic: {{base_url: "http://127.0.0.1:{upstream}", api_key: sk-bench}}
  google: {{base_url: "http://127.0.0.1:{upstream}", api_key: sk-bench}}
routes:
{more_routes}  - match: "claude-*"
    targets: [{{provider: anthropic, model: "{{1}}"}}]
  - match: "gemini-*"
    targets: [{{provider: google, model: "{{1}}"}}]
  - match: "*"
    targets: [{{provider: upstream}}]
limits: {{requests: 1000M/min, tokens: 1000000M/min, concurrent: 100000}}
"""


_METERS_S: Final = 1.5
"""Records of usage are written to the store within a second of an answer, many at once."""


@dataclass(frozen=True, slots=True)
class Subject:
    """name: its column in the table. command: what starts it. key: the credential that the load driver sends.

    rest_s: so long after its last answer it may still be at work on what was asked, which counts.
    """

    name: str
    command: tuple[str, ...]
    port: int
    key: str = "sk-none"
    cwd: Path | None = None
    log: Path | None = None
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Running:
    """A subject that has answered once. start_s: from the start of its process to that answer."""

    subject: Subject
    process: subprocess.Popen[str]
    start_s: float


class DidNotStart(Exception):
    """A subject gave no good answer in time; says what it printed."""


def floor(upstream: int, folder: Path) -> Subject:
    return burning_floor("floor", 0, upstream, folder)


def burning_floor(name: str, burn_us: int, upstream: int, folder: Path) -> Subject:
    """The floor with that much more CPU a request: the benchmark's own test must see it."""
    port = processes.free_port()
    address = f"http://127.0.0.1:{upstream}"
    command = (sys.executable, "-m", "bench.floor", str(port), address, str(burn_us))
    return Subject(name, command, port, log=folder / f"{name}.log")


def nginx(upstream: int, folder: Path, binary: str | None) -> Subject | None:
    """None where there is no nginx."""
    found = shutil.which(binary or "nginx")
    if found is None:
        return None
    port = processes.free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    return Subject("nginx", (found, "-c", str(config), "-e", str(folder / "nginx.log")), port, log=folder / "out.log")


@dataclass(frozen=True, slots=True)
class Grown:
    """How a gateway differs from the usual one. keys: in the store, of which one is used. redis: where it counts its
    limits; empty is in the process."""

    name: str = "gateway"
    routes: int = 10
    keys: int = 1
    workers: int = 1
    redis: str = ""


USUAL: Final = Grown()


def gateway(upstream: int, folder: Path, grown: Grown = USUAL) -> Subject:
    """The whole gateway: a key, limits, routing, metering, metrics and the store on disk."""
    port = processes.free_port()
    place = folder / grown.name
    place.mkdir()
    config = place / "gaiarouter.yaml"
    more = "".join(
        f'  - {{match: "unused-{n}-*", targets: [{{provider: upstream}}]}}\n' for n in range(grown.routes - 3)
    )
    config.write_text(
        GATEWAY.format(folder=place, port=port, upstream=upstream, workers=grown.workers, more_routes=more)
        + (f"redis: {grown.redis}\n" if grown.redis else "")
    )
    command = (sys.executable, "-m", "gaiarouter")
    create = [*command, "keys", "create", "-c", str(config), "--name", "bench"]
    made = subprocess.run(create, cwd=place, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise DidNotStart(f"gaiarouter keys create: {made.stderr}")
    _multiply_keys(place / "bench.db", grown.keys)
    serve = (*command, "serve", "-c", str(config))
    return Subject(grown.name, serve, port, made.stdout.strip(), place, place / "gateway.log", _METERS_S)


def _multiply_keys(database: Path, count: int) -> None:
    """Copies of the one key that is there, under ids of their own, until there are `count`."""
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(api_keys)")]
        copied = ", ".join("?" if name == "id" else name for name in columns)
        rows = ((f"copy-{number}",) for number in range(count - 1))
        connection.executemany(
            f"INSERT INTO api_keys ({', '.join(columns)}) SELECT {copied} FROM api_keys LIMIT 1", rows
        )


def other(text: str, upstream: int, folder: Path) -> Subject:
    """Another gateway: `NAME=COMMAND`, where `{port}` is where it listens and `{upstream}` where the provider does."""
    name, _, command = text.partition("=")
    port = processes.free_port()
    filled = command.replace("{port}", str(port)).replace("{upstream}", str(upstream))
    return Subject(name, tuple(shlex.split(filled)), port, cwd=folder, log=folder / f"{name}.log", rest_s=_METERS_S)


def run(subject: Subject, cpu: int | None) -> Running:
    """Starts it and waits for its first whole answer, which must be the upstream's, byte for byte."""
    began = time.monotonic()
    process = processes.start(subject.command, cpu=cpu, cwd=subject.cwd, log=subject.log)
    while (body := _first_answer(subject)) is None:
        if process.poll() is not None or time.monotonic() - began > FIRST_ANSWER_BOUND_S:
            processes.stop(process)
            printed = subject.log.read_text()[-2000:] if subject.log else ""
            raise DidNotStart(f"{subject.name} gave no good answer:\n{printed}")
        time.sleep(0.005)
    start_s = time.monotonic() - began
    if body != wire.ANSWER:
        processes.stop(process)
        raise DidNotStart(f"{subject.name} changed the answer: {body[:500]!r}")
    return Running(subject, process, start_s)


def _first_answer(subject: Subject) -> bytes | None:
    """None when nothing answers, or not with 200."""
    request = wire.request("json", wire.SMALL_PROMPT, stream=False, key=subject.key, port=subject.port)
    body = request.partition(wire.HEAD_END)[2]
    headers = {"authorization": f"Bearer {subject.key}", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=5)
    try:
        connection.request("POST", wire.PATH, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def stop_all(running: Sequence[Running]) -> None:
    for each in running:
        processes.stop(each.process)
