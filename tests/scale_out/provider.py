"""A provider that counts: which requests came to it, which answers left it whole, how many streams are open."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, completion
from tests.support.script import sse

ANSWERED_TOKENS = 100
USAGE = {"prompt_tokens": 7, "completion_tokens": ANSWERED_TOKENS, "total_tokens": 7 + ANSWERED_TOKENS}
END = sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}) + DONE
WORD = "word "


class Provider:
    """chunks, every_s: how a stream speaks. Requests go by the id that their caller gave them."""

    def __init__(self) -> None:
        self.chunks, self.every_s = 10, 0.25
        self.asked: Counter[str] = Counter()
        self.whole: set[str] = set()
        self.open = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def of(self, show: str) -> Counter[str]:
        """How often it was asked what, of the requests that begin so."""
        return Counter({name: times for name, times in self.asked.items() if name.startswith(show)})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        name, body = request.headers["x-request-id"], await request.json()
        self.asked[name] += 1
        if body.get("stream"):
            return await self._stream(request, name)
        self.whole.add(name)
        return web.json_response(completion(WORD, usage=USAGE))

    async def _stream(self, request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        self.open += 1
        try:
            await response.prepare(request)
            await response.write(ROLE)
            for _ in range(self.chunks):
                await response.write(sse(chunk_of(WORD)))
                await asyncio.sleep(self.every_s)
            await response.write(FINISH + END)
            await response.write_eof()
            self.whole.add(name)
        finally:
            self.open -= 1
        return response


def words(stream: bytes) -> int | None:
    """How many a whole stream said; None for one that broke off or told of an error."""
    if not stream.endswith(DONE):
        return None
    events = list(_events(stream))
    if any("error" in event for event in events):
        return None
    choices = [choice for event in events for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices).count(WORD)


def _events(stream: bytes) -> Iterator[dict[str, Any]]:
    for line in stream.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))
