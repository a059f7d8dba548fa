"""What stands before the gateways: nginx where there is one, else round robin over TCP. Whoever uses it says which
gateways are ready; one that refuses a connection is passed over."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.support.ports import free_port


class Balancer(Protocol):
    name: str
    port: int

    async def start(self, ports: Sequence[int]) -> None: ...

    def use(self, ports: Sequence[int]) -> None:
        """From now on; what runs elsewhere goes on."""
        ...

    async def close(self) -> None: ...


class RoundRobin:
    name = "round robin over TCP"

    def __init__(self) -> None:
        self.port = 0
        self._ports: Sequence[int] = ()
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def use(self, ports: Sequence[int]) -> None:
        self._ports = ports

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there = await self._connect()
            if there is not None:
                await _both_ways((reader, writer), there)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports, turn = self._ports, next(self._turn)
        for number in range(len(ports)):
            try:
                return await asyncio.open_connection("127.0.0.1", ports[(turn + number) % len(ports)])
            except ConnectionError:
                continue
        return None


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _both_ways(here: Ends, there: Ends) -> None:
    """Until either end is done; then both are closed."""
    ways = {asyncio.create_task(_pour(here[0], there[1])), asyncio.create_task(_pour(there[0], here[1]))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there[1].close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return


_CONF = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream gateways {{ {servers} }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://gateways;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 900s;
        }}
    }}
}}
"""


class Nginx:
    def __init__(self, program: str, folder: Path) -> None:
        said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
        found = re.search(r"nginx/\S+", said)
        self.name = found[0] if found else "nginx"
        self.port = free_port()
        self._program = program
        self._folder = folder / "nginx"
        self._folder.mkdir()

    async def start(self, ports: Sequence[int]) -> None:
        self._write(ports)
        self._process = subprocess.Popen(  # noqa: ASYNC220  # at once, and not the loop's to wait for
            [self._program, "-c", str(self._folder / "conf"), "-p", str(self._folder), "-e", str(self._folder / "log")],
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                return

    def use(self, ports: Sequence[int]) -> None:
        self._write(ports)
        self._process.send_signal(signal.SIGHUP)

    async def close(self) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 10)

    def _write(self, ports: Sequence[int]) -> None:
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports) or "server 127.0.0.1:1 down;"
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONF.format(folder=self._folder, port=self.port, servers=servers, user=user)
        (self._folder / "conf").write_text(text)


def balancer(folder: Path) -> Balancer:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return RoundRobin() if program is None else Nginx(program, folder)
