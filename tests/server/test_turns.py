"""The requests of one connection, and answers that are written to it without detours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.server.protocol import Listener
from gaiarouter.server.writing import write_whole, writes_straight
from tests.server.raw import RawCaller, raw_caller
from tests.support.upstream import BOUND_S


class Served:
    """What was asked on `/`, `/any/…` and with which task; a request with `x-wait` waits for `go_on`."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[object] | None] = []
        self.straight: list[bool] = []
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.leaving = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.tasks.append(asyncio.current_task())
        if "x-wait" in request.headers:
            self.waiting.set()
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        self.straight.append(writes_straight(request))
        told = {"path": request.match_info.get("path", "/")}
        if not self.straight[-1]:
            return web.json_response(told)
        return write_whole(request, "X-Way: straight\r\n", json.dumps(told).encode())


@asynccontextmanager
async def listening(
    served: Served, prepare: Callable[[web.Application], None] = lambda app: None
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/", served.handle)
    app.router.add_post("/any/{path}", served.handle)
    prepare(app)
    listener = Listener(app, ChatDialect(), is_leaving=lambda: served.leaving)
    await listener.setup()
    await web.TCPSite(listener, "127.0.0.1", 0).start()
    try:
        yield listener.addresses[0][1]
    finally:
        await listener.cleanup()


def ask(caller: RawCaller, path: str = "/", body: bytes = b"{}", head: str = "") -> None:
    length = f"Content-Length: {len(body)}\r\n"
    caller.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{length}{head}\r\n".encode() + body)


async def test_requests_of_a_connection_are_served_in_their_order_by_its_task() -> None:
    served = Served()
    async with listening(served) as port, raw_caller(port) as caller:
        for path in ("/", "/any/a", "/any/b", "/"):
            ask(caller, path)
        paths = [(await caller.reply()).json()["path"] for _ in range(4)]
    assert paths == ["/", "a", "b", "/"]
    assert len(set(served.tasks)) == 1


async def test_a_body_that_nobody_wanted_is_no_part_of_the_next_request() -> None:
    served = Served()
    async with listening(served) as port, raw_caller(port) as caller:
        caller.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nPOST / HTTP/1.1")
        assert (await caller.reply()).status == 200
        caller.write(b" " * 25)
        ask(caller, "/any/next")
        assert (await caller.reply()).json() == {"path": "next"}
    assert len(served.tasks) == 2


async def test_a_caller_that_hangs_up_ends_its_request() -> None:
    served = Served()
    async with listening(served) as port:
        async with raw_caller(port) as caller:
            ask(caller, head="x-wait: 1\r\n")
            await served.waiting.wait()
        async with asyncio.timeout(BOUND_S):
            await served.cancelled.wait()


@pytest.mark.parametrize(
    ("path", "head", "straight"),
    [
        ("/", "", True),
        ("/?key=1", "", True),
        ("/any/a", "", True),
        ("/", "Expect: 100-continue\r\n", True),
        ("/", "Connection: close\r\n", False),
    ],
)
async def test_an_answer_is_the_same_whichever_way_it_takes(path: str, head: str, straight: bool) -> None:
    served = Served()
    async with listening(served) as port, raw_caller(port) as caller:
        ask(caller, path, head=head)
        if "Expect" in head:
            assert (await caller.reply()).status == 100
        reply = await caller.reply()
        assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "application/json")
        assert ("x-way" in reply.headers) == straight == served.straight[0]


async def test_the_last_answer_of_a_connection_says_so() -> None:
    served = Served()
    async with listening(served) as port, raw_caller(port) as caller:
        ask(caller)
        assert "connection" not in (await caller.reply()).headers
        served.leaving = True
        ask(caller)
        assert (await caller.reply()).headers["connection"] == "close"
        assert await caller.rest() == b""


async def test_who_wants_to_see_answers_sees_them() -> None:
    """An application that this one is a part of, or pages of other origins."""
    served = Served()

    async def stamp(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Seen"] = "1"

    async with (
        listening(served, lambda app: app.on_response_prepare.append(stamp)) as port,
        raw_caller(port) as caller,
    ):
        ask(caller)
        assert (await caller.reply()).headers["x-seen"] == "1"
    assert served.straight == [False]


async def test_what_is_no_http_ends_the_connection() -> None:
    served = Served()
    async with listening(served) as port, raw_caller(port) as caller:
        ask(caller)
        assert (await caller.reply()).status == 200
        caller.write(b"POST / HTTP/1.1\r\nHost x\r\n\r\n")
        assert (await caller.reply()).status == 400
        assert await caller.rest() == b""
