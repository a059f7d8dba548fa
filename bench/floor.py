"""The floor: a bare aiohttp reverse proxy, as anybody would write it. Run as `python -m bench.floor PORT UPSTREAM`.

One handler, one ClientSession, uvloop, explicit time-outs; bytes straight through. No key, limit, JSON or metering.
A third argument burns that many microseconds of CPU a request, for the benchmark's own test.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import uvloop
from aiohttp import web

HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "keep-alive"})
TIMEOUT = aiohttp.ClientTimeout(total=900, sock_connect=5, sock_read=60)


class Proxy:
    def __init__(self, session: aiohttp.ClientSession, upstream: str, burn_s: float) -> None:
        self._session = session
        self._upstream = upstream
        self._burn_s = burn_s

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        burnt = time.process_time() + self._burn_s
        while time.process_time() < burnt:
            pass
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method, self._upstream + request.path_qs, headers=headers, data=await request.read()
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            if answer.content_length is not None:
                return web.Response(status=answer.status, headers=kept, body=await answer.read())
            relay = web.StreamResponse(status=answer.status, headers=kept)
            await relay.prepare(request)
            async for data in answer.content.iter_any():
                await relay.write(data)
            await relay.write_eof()
            return relay


async def main(port: int, upstream: str, burn_us: float = 0.0) -> None:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=TIMEOUT, auto_decompress=False
    ) as session:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_route("*", "/{path:.*}", Proxy(session, upstream, burn_us / 1e6))
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:])))
