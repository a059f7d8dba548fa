"""One target's answer on its way to the caller: held back until it is known to be one, then passed on as it comes.

Nothing is sent before the first content, so that a stream that begins badly can still fall back. After it, every byte
has been read by a watcher before it leaves, and a stream without its own ending leaves as an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct, field, structs

from gaiarouter.canonical.usage import REJECTED, Usage, believed, counted
from gaiarouter.dialects.base import Answer, Conversion, StreamWatcher
from gaiarouter.dialects.passed.conversion import Passing
from gaiarouter.errors import BadAnswer, TimedOut
from gaiarouter.ledger.tokenizer import Heard, Tokenizer
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.upstream.base import UpstreamResponse

Charge = Callable[[str, str, Usage], int | None]
"""Nano-dollars, by provider, its model and what was used; None where nobody knows the price."""

_MAX_HELD: Final = 1 << 20
"""Bytes of a stream that may pass without content before it is no answer."""
_STEP: Final = 4096
_CROWDED: Final = 1024
"""Lines of one read beyond which it is looked at in steps of so many bytes, if they are short."""
_MORE_THAN_ONE: Final = 20
"""Estimated tokens: no text so long is one token."""
_SHORT_LINE: Final = 32
"""Bytes. Of a stream that comes fast one read has hundreds of real events, with longer lines."""
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*", re.ASCII)


class Relay(Struct):
    """One attempt's answer. Times are on `clock`.

    first_content_by: a stream must have begun to speak by then. deadline: a stream that speaks must have ended by then.
    spoke: called once, when the first content is in hand and before it goes to the caller, with that time and how long
    it took. charge: what a usage costs. tokenizer: estimates a usage that the target does not tell. heard: for that, of
    a stream. held: what has come of a stream that has no content yet.
    """

    exchange: Exchange
    conversion: Conversion
    response: UpstreamResponse
    clock: Callable[[], float]
    first_content_by: float
    deadline: float
    spoke: Callable[[float, float], None]
    charge: Charge
    tokenizer: Tokenizer
    heard: Heard | None = None
    held: bytearray = field(default_factory=bytearray)

    def run(self) -> Awaitable[None]:
        if isinstance(self.conversion, Passing):
            return self.as_sent(self.conversion)
        assert self.exchange.request is not None
        return self.stream() if self.exchange.request.stream else self.answer()

    async def as_sent(self, conversion: Passing) -> None:
        """The answer is whatever the target makes of it, a stream or not."""
        watcher = conversion.passing(self._kind())
        if watcher is None:
            await self._tell(self.conversion.read_answer(await self.response.read()))
        else:
            self.exchange.media_type = _shown(self.response.headers.get("content-type", ""))
            await self._relay(watcher)

    async def answer(self) -> None:
        """The answer to a request that is not streamed."""
        body = await self.response.read()
        await self._tell(self.conversion.answer_of(body) if self._streams() else self.conversion.read_answer(body))

    async def _tell(self, answer: Answer) -> None:
        await self.exchange.reply.answer(self._whole(answer))
        self.exchange.complete = True

    async def stream(self) -> None:
        if self._streams():
            await self._relay(self.conversion.watch())
        else:
            await self._told_as_stream()

    async def _relay(self, watcher: StreamWatcher) -> None:
        assert self.exchange.request is not None
        if self.exchange.request.stream:
            self.heard = self.tokenizer.listen()
        try:
            await self._watch(watcher)
        except BaseException:
            self.exchange.next_number = watcher.next_number
            raise
        finally:
            if self.exchange.reply.committed:
                self._account(self._used(watcher), watcher.finish_reason)
            else:
                self.exchange.heard = believed(watcher.usage)
        self.exchange.complete = True
        await self.response.drain()

    async def _watch(self, watcher: StreamWatcher) -> None:
        await self._begin(watcher)
        if self.exchange.reply.committed and not watcher.finished:
            await self._pour(watcher)
        if not watcher.finished:
            await self._pass_on(watcher, watcher.close())

    async def _begin(self, watcher: StreamWatcher) -> None:
        """Until the first content has gone to the caller, or the stream is at its end. What has come by then is not
        held for as long as the stream lasts."""
        async for data in self.response.chunks():
            await self._in_steps(watcher, data)
            if watcher.finished or self.exchange.reply.committed:
                return

    async def _in_steps(self, watcher: StreamWatcher, data: bytes) -> None:
        """Others have their turn in between where one read brought thousands of events."""
        if len(data) <= _STEP or not _is_crowded(data):
            await self._pass_on(watcher, watcher.feed(data))
            return
        for start in range(0, len(data), _STEP):
            await self._pass_on(watcher, watcher.feed(data[start : start + _STEP]))
            if watcher.finished:
                return
            await asyncio.sleep(0)

    async def _pour(self, watcher: StreamWatcher) -> None:
        """The stream after its first content: each read goes on from where it comes in, without waking this task."""
        reply, heard = self.exchange.reply, self.heard
        crowded: list[bytes] = []

        def take(data: bytes) -> bool:
            if len(data) > _STEP and _is_crowded(data):
                crowded.append(data)
                return False
            events = watcher.feed(data)
            if heard is not None:
                heard.add(events)
            has_room = not events or reply.send_now(events)
            return has_room and not watcher.finished and watcher.error is None

        while not await self.response.pour(take):
            if watcher.error is not None:
                raise watcher.error
            if crowded:
                await self._in_steps(watcher, crowded.pop())
            if watcher.finished:
                return
            await reply.room()

    async def _pass_on(self, watcher: StreamWatcher, events: bytes) -> None:
        reply = self.exchange.reply
        if self.heard is not None:
            self.heard.add(events)
        if reply.committed:
            if events:
                await reply.send(events)
        elif watcher.error is None:
            self.held += events
            if watcher.content_started or watcher.finished:
                self._first_content()
                first, self.held = bytes(self.held), bytearray()
                await reply.send(first)
            else:
                self._check_patience()
        if watcher.error is not None:
            raise watcher.error

    async def _told_as_stream(self) -> None:
        """The target answered JSON although it was asked to stream."""
        stream, answer = self.conversion.stream_of(await self.response.read())
        self._whole(answer)
        await self.exchange.reply.send(stream)
        self.exchange.complete = True

    def _streams(self) -> bool:
        """Whether the target streams, which need not be what it was asked for."""
        kind = self._kind()
        if kind in ("text/event-stream", "application/json"):
            return kind == "text/event-stream"
        # small servers name their streams text/plain, or not at all
        return self.exchange.request is not None and self.exchange.request.stream

    def _kind(self) -> str:
        """The media type, without its parameters; empty where the target names none."""
        told = self.response.headers.get("content-type", "")
        if told == "application/json":
            return told  # as nearly every whole answer
        kind = told.partition(";")[0].strip().lower()
        if kind == "text/html":
            raise BadAnswer("The provider answered with a web page.")
        return kind

    def _whole(self, answer: Answer) -> bytes:
        usage = answer.usage
        if usage is None or usage is REJECTED:
            usage = counted(usage, self._estimate(answer.text_tokens, answer.body))
        else:
            self.exchange.estimated = usage.estimated
        self._account(usage, answer.finish_reason)
        self._first_content()
        return answer.body

    def _check_patience(self) -> None:
        if len(self.held) > _MAX_HELD:
            raise BadAnswer(
                "The provider's stream went on without content.",
                code="upstream_response_too_large",
                outcome="too_large",
            )
        if self.clock() > self.first_content_by:
            raise TimedOut("The provider sent no content in time.", phase="first_byte")

    def _first_content(self) -> None:
        self.response.extend(self.deadline)
        exchange, now = self.exchange, self.clock()
        exchange.spoke(now)
        self.spoke(now, now - exchange.attempt_started_s)

    def _account(self, usage: Usage, finish_reason: str | None) -> None:
        exchange = self.exchange
        assert exchange.served is not None
        exchange.finish_reason = finish_reason
        exchange.usage = usage
        exchange.cost_nano = self.charge(exchange.served.provider, exchange.served.model, usage)

    def _used(self, watcher: StreamWatcher) -> Usage:
        """Of a stream that broke off, or never told more, what was told may be of its beginning: Claude's starts with a
        count of 1. No estimate is wrong by half, so that such a count is replaced."""
        found = watcher.usage
        told = believed(found)
        is_over = watcher.finished or watcher.finish_reason is not None
        if told is not None and is_over and (told.output_tokens > 1 or watcher.text_tokens < _MORE_THAN_ONE):
            return told
        estimate = self._estimate(watcher.text_tokens, None)
        if told is None:
            return counted(found, estimate)
        if 2 * told.output_tokens >= estimate.out_visible:
            return told
        return structs.replace(told, out_visible=estimate.out_visible - told.out_reasoning, estimated=True)

    def _estimate(self, said: int, body: bytes | None) -> Usage:
        """said: estimated tokens of the text. body: of a whole answer; None for a stream."""
        request, tokenizer = self.exchange.request, self.tokenizer
        assert request is not None
        given = request.estimated_input_tokens()
        if tokenizer.is_ready():
            given = tokenizer.given(given, request.body_for(model=request.model, ask_usage=False))
            if body is not None:
                said = tokenizer.said(said, body)
            elif self.heard is not None:
                said = tokenizer.heard(said, self.heard)
        return Usage(in_uncached=given, out_visible=said, estimated=True)


def _is_crowded(data: bytes) -> bool:
    lines = data.count(b"\n") + data.count(b"\r")
    return lines > _CROWDED and lines * _SHORT_LINE > len(data)


def _shown(content_type: str) -> str:
    """A provider's header as it may stand in ours."""
    return content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream"
