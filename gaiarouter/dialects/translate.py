"""From one dialect to another, through the canonical form: a caller of the one is served from a target of the other.

Nothing here knows which two they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from msgspec import structs

from gaiarouter.canonical.events import (
    CanonicalAnswer,
    End,
    Event,
    Failure,
    Finish,
    TextDelta,
    TextRun,
    UsageSnapshot,
    is_content,
    said,
)
from gaiarouter.canonical.fold import fold, text_tokens, unfold
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.canonical.usage import REJECTED, Usage, later, token_weight
from gaiarouter.dialects.base import Answer
from gaiarouter.errors import Rejected, UpstreamError


class StreamDecoder(Protocol):
    """Their bytes in, events out. One instance per answer; never raises: what is wrong is the last event, a Failure."""

    def feed(self, data: bytes) -> list[Event]:
        """Also what an earlier `read` has left untold."""
        ...

    def read(self, data: bytes) -> Sequence[Event | TextRun]:
        """As `feed`, with many pieces of one text as one. Totals that came with them may be told later."""
        ...

    def close(self) -> list[Event]:
        """The bytes are at their end."""
        ...


class StreamEncoder(Protocol):
    """Events in, our bytes out: whole events of the caller's dialect. A Failure writes nothing. next_number: as a
    StreamWatcher's."""

    next_number: int

    def encode(self, events: Iterable[Event | TextRun]) -> bytes: ...


class PreparedRequest(Protocol):
    """A request written for one target, and how to read that target's answer to it.

    headers: those that belong to this very body. losses: what could not be carried over exactly.
    """

    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def losses(self) -> tuple[Loss, ...]: ...

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        """A 200. Raises BadAnswer, or the error that it holds."""
        ...

    def stream_decoder(self) -> StreamDecoder: ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Never raises."""
        ...


class Target(Protocol):
    """One provider, spoken to in one dialect."""

    def needs_bytes(self, part: Media) -> bool:
        """Whether the provider takes what such a part stands for, but cannot be given its address. The part's source
        is a web address."""
        ...

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedRequest:
        """model: its name at the provider. Raises InvalidRequest, by the caller's own name of the field, for what the
        provider cannot do; if `strict`, for whatever it cannot do exactly."""
        ...


class AnswerWriter(Protocol):
    """Writes answers for one caller's request."""

    def encode_answer(self, answer: CanonicalAnswer) -> bytes: ...

    def stream_encoder(self) -> StreamEncoder: ...


class Translation:
    """Implements dialects.base.Conversion through the canonical form. forwarded: headers of the caller's, for a target
    that speaks its dialect."""

    def __init__(
        self, request: PreparedRequest, writer: AnswerWriter, forwarded: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.request = request
        self._writer = writer
        self.body = request.body
        self.headers = {**request.headers, **forwarded} if forwarded else request.headers
        losses = request.losses
        self.dropped = tuple([loss.path for loss in losses]) if losses else ()

    def watch(self) -> TranslatedStream:
        """For a target that streams. Lets go of what was written for it."""
        decoder = self.request.stream_decoder()
        del self.request, self.body
        return TranslatedStream(decoder, self._writer.stream_encoder())

    def read_answer(self, body: bytes) -> Answer:
        """For a target that answers as a whole. Raises BadAnswer, or the error that it holds."""
        return self._answer(self.request.decode_answer(body))

    def answer_of(self, stream: bytes) -> Answer:
        """For a target that streamed although it was not asked to. Raises what is wrong with the stream."""
        decoder = self.request.stream_decoder()
        return self._answer(fold([*decoder.feed(stream), *decoder.close()]))

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        """For a target that answered as a whole although it was asked to stream: the stream for the caller, and the
        answer that it tells."""
        answer = self.request.decode_answer(body)
        return self._writer.stream_encoder().encode(unfold(_tellable(answer))), self._answer(answer)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        error = self.request.read_error(status, headers, body)
        if isinstance(error, Rejected):
            error.body = None  # of another dialect than the caller's
        return error

    def _answer(self, answer: CanonicalAnswer) -> Answer:
        finish, usage = answer.choices[0].finish if answer.choices else None, answer.usage
        is_unknown = usage is None or usage is REJECTED
        return Answer(
            body=self._writer.encode_answer(_tellable(answer) if is_unknown else answer),
            usage=usage,
            text_tokens=text_tokens(answer) if is_unknown else 0,
            finish_reason=finish.reason if finish else None,
        )


def _tellable(answer: CanonicalAnswer) -> CanonicalAnswer:
    """As the caller is told it: without a usage that nobody believes."""
    return answer if answer.usage is not REJECTED else structs.replace(answer, usage=None)


class TranslatedStream:
    """Implements dialects.base.StreamWatcher: what `feed` and `close` return is of the caller's dialect."""

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._weight = 0.0
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.finish_reason: str | None = None
        self._usage: Usage | None = None
        self._ran = False

    @property
    def usage(self) -> Usage | None:
        """As far as the stream has come."""
        if self._ran:
            self._ran = False
            self._note_all(self._decoder.feed(b""))
        return self._usage

    @property
    def next_number(self) -> int:
        return self._encoder.next_number

    @property
    def text_tokens(self) -> int:
        return math.ceil(self._weight)

    def feed(self, data: bytes) -> bytes:
        if self.finished or self.error:
            return b""
        return self._pass(self._decoder.read(data))

    def close(self) -> bytes:
        return b"" if self.finished or self.error else self._pass(self._decoder.close())

    def _pass(self, events: Sequence[Event | TextRun]) -> bytes:
        self._note_all(events)
        if self._usage is not None and self._usage.rejected:
            events = [each for each in events if not (isinstance(each, UsageSnapshot) and each.usage is REJECTED)]
        return self._encoder.encode(events)

    def _note_all(self, events: Sequence[Event | TextRun]) -> None:
        for event in events:
            self._note(event)

    def _note(self, event: Event | TextRun) -> None:
        match event:
            case TextRun(texts=texts):
                self._weight += token_weight("".join(texts))
                self.content_started = self.content_started or bool(texts)
                self._ran = True
            case TextDelta(text=text) if text:
                self._weight += token_weight(text)
                self.content_started = True
            case UsageSnapshot(usage=usage):
                self._usage = later(self._usage, usage)
            case Finish(reason=reason, choice=0):
                self.finish_reason = reason
            case Failure(error=error):
                self.error = error
                if isinstance(error, Rejected):
                    error.body = None
            case End():
                self.finished = True
            case _:
                self._weight += token_weight(said(event))
                self.content_started = self.content_started or is_content(event)
