"""One target's answer on its way to the caller: held back until it is known to be one, then passed on as it comes.

Nothing is sent before the first content, so that a stream that begins badly can still fall back. After it, every byte
has been read by a watcher before it leaves, and a stream without its own ending leaves as an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

from msgspec import structs

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer, Conversion, StreamWatcher
from gaiarouter.dialects.passed.conversion import Passing
from gaiarouter.errors import BadAnswer, TimedOut
from gaiarouter.ledger.tokenizer import Tokenizer
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


class Relay:
    """One attempt's answer. Times are on `clock`.

    first_content_by: a stream must have begun to speak by then. deadline: a stream that speaks must have ended by then.
    charge: what a usage costs. tokenizer: estimates a usage that the target does not tell. spoke: called once, when the
    first content is in hand and before it goes to the caller.
    """

    def __init__(
        self,
        exchange: Exchange,
        conversion: Conversion,
        response: UpstreamResponse,
        clock: Callable[[], float],
        *,
        first_content_by: float,
        deadline: float,
        spoke: Callable[[float], None],
        charge: Charge,
        tokenizer: Tokenizer,
    ) -> None:
        self._exchange = exchange
        self._conversion = conversion
        self._response = response
        self._clock = clock
        self._first_content_by = first_content_by
        self._deadline = deadline
        self._spoke = spoke
        self._charge = charge
        self._tokenizer = tokenizer
        self._heard = tokenizer.listen() if exchange.request is not None and exchange.request.stream else None
        self._held = bytearray()

    async def run(self) -> None:
        assert self._exchange.request is not None
        if isinstance(self._conversion, Passing):
            await self.as_sent(self._conversion)
        elif self._exchange.request.stream:
            await self.stream()
        else:
            await self.answer()

    async def as_sent(self, conversion: Passing) -> None:
        """The answer is whatever the target makes of it, a stream or not."""
        watcher = conversion.passing(self._kind())
        if watcher is None:
            await self._tell(self._conversion.read_answer(await self._response.read()))
        else:
            self._exchange.media_type = _shown(self._response.headers.get("content-type", ""))
            await self._relay(watcher)

    async def answer(self) -> None:
        """The answer to a request that is not streamed."""
        body = await self._response.read()
        await self._tell(self._conversion.answer_of(body) if self._streams() else self._conversion.read_answer(body))

    async def _tell(self, answer: Answer) -> None:
        await self._exchange.reply.answer(self._whole(answer))
        self._exchange.complete = True

    async def stream(self) -> None:
        if self._streams():
            await self._relay(self._conversion.watch())
        else:
            await self._told_as_stream()

    async def _relay(self, watcher: StreamWatcher) -> None:
        try:
            await self._watch(watcher)
        finally:
            if self._exchange.reply.committed:
                self._account(self._used(watcher), watcher.finish_reason)
            else:
                self._exchange.heard = watcher.usage
        self._exchange.complete = True
        await self._response.drain()

    async def _watch(self, watcher: StreamWatcher) -> None:
        await self._begin(watcher)
        if self._exchange.reply.committed and not watcher.finished:
            await self._pour(watcher)
        if not watcher.finished:
            await self._pass_on(watcher, watcher.close())

    async def _begin(self, watcher: StreamWatcher) -> None:
        """Until the first content has gone to the caller, or the stream is at its end. What has come by then is not
        held for as long as the stream lasts."""
        async for data in self._response.chunks():
            await self._in_steps(watcher, data)
            if watcher.finished or self._exchange.reply.committed:
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
        reply, heard = self._exchange.reply, self._heard
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

        while not await self._response.pour(take):
            if watcher.error is not None:
                raise watcher.error
            if crowded:
                await self._in_steps(watcher, crowded.pop())
            if watcher.finished:
                return
            await reply.room()

    async def _pass_on(self, watcher: StreamWatcher, events: bytes) -> None:
        reply = self._exchange.reply
        if self._heard is not None:
            self._heard.add(events)
        if reply.committed:
            if events:
                await reply.send(events)
        elif watcher.error is None:
            self._held += events
            if watcher.content_started or watcher.finished:
                self._first_content()
                first, self._held = bytes(self._held), bytearray()
                await reply.send(first)
            else:
                self._check_patience()
        if watcher.error is not None:
            raise watcher.error

    async def _told_as_stream(self) -> None:
        """The target answered JSON although it was asked to stream."""
        stream, answer = self._conversion.stream_of(await self._response.read())
        self._whole(answer)
        await self._exchange.reply.send(stream)
        self._exchange.complete = True

    def _streams(self) -> bool:
        """Whether the target streams, which need not be what it was asked for."""
        kind = self._kind()
        if kind in ("text/event-stream", "application/json"):
            return kind == "text/event-stream"
        # small servers name their streams text/plain, or not at all
        return self._exchange.request is not None and self._exchange.request.stream

    def _kind(self) -> str:
        """The media type, without its parameters; empty where the target names none."""
        told = self._response.headers.get("content-type", "")
        if told == "application/json":
            return told  # as nearly every whole answer
        kind = told.partition(";")[0].strip().lower()
        if kind == "text/html":
            raise BadAnswer("The provider answered with a web page.")
        return kind

    def _whole(self, answer: Answer) -> bytes:
        self._exchange.estimated = answer.usage is not None and answer.usage.estimated
        self._account(answer.usage or self._estimate(answer.text_tokens, answer.body), answer.finish_reason)
        self._first_content()
        return answer.body

    def _check_patience(self) -> None:
        if len(self._held) > _MAX_HELD:
            raise BadAnswer(
                "The provider's stream went on without content.",
                code="upstream_response_too_large",
                outcome="too_large",
            )
        if self._clock() > self._first_content_by:
            raise TimedOut("The provider sent no content in time.", phase="first_byte")

    def _first_content(self) -> None:
        self._response.extend(self._deadline)
        now = self._clock()
        self._exchange.spoke(now)
        self._spoke(now)

    def _account(self, usage: Usage, finish_reason: str | None) -> None:
        exchange = self._exchange
        assert exchange.served is not None
        exchange.finish_reason = finish_reason
        exchange.usage = usage
        exchange.cost_nano = self._charge(exchange.served.provider, exchange.served.model, usage)

    def _used(self, watcher: StreamWatcher) -> Usage:
        """Of a stream that broke off, or never told more, what was told may be of its beginning: Claude's starts with a
        count of 1. No estimate is wrong by half, so that such a count is replaced."""
        told = watcher.usage
        is_over = watcher.finished or watcher.finish_reason is not None
        if told is not None and is_over and (told.output_tokens > 1 or watcher.text_tokens < _MORE_THAN_ONE):
            return told
        counted = self._estimate(watcher.text_tokens, None)
        if told is None:
            return counted
        if 2 * told.output_tokens >= counted.out_visible:
            return told
        return structs.replace(told, out_visible=counted.out_visible - told.out_reasoning, estimated=True)

    def _estimate(self, said: int, body: bytes | None) -> Usage:
        """said: estimated tokens of the text. body: of a whole answer; None for a stream."""
        request, tokenizer = self._exchange.request, self._tokenizer
        assert request is not None
        given = request.estimated_input_tokens()
        if tokenizer.is_ready():
            given = tokenizer.given(given, request.body_for(model=request.model, ask_usage=False))
            if body is not None:
                said = tokenizer.said(said, body)
            elif self._heard is not None:
                said = tokenizer.heard(said, self._heard)
        return Usage(in_uncached=given, out_visible=said, estimated=True)


def _is_crowded(data: bytes) -> bool:
    lines = data.count(b"\n") + data.count(b"\r")
    return lines > _CROWDED and lines * _SHORT_LINE > len(data)


def _shown(content_type: str) -> str:
    """A provider's header as it may stand in ours."""
    return content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream"
