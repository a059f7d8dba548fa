"""What every wire format offers to the pipeline. Pure: bytes and objects in, bytes and objects out.

Callers speak a dialect to us, and we speak one to each target. Where both are the same, the caller's own JSON goes
on with only members patched (`RequestHead.body_for`), and the answer's bytes come back untouched while a
`StreamWatcher` or `read_answer` looks for usage, errors and the true ending.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Raw, Struct, field

from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import GatewayError, UpstreamError


class Envelope(Struct, frozen=True):
    """What a request says outside its body.

    model, stream: where the path names them. method, path: of a request that says all in its address, the path
    without what is common to all of its kind, and with the query. headers: all of the caller's, found by their names in
    lower case.
    """

    model: str | None = None
    stream: bool | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = ""


BARE = Envelope()


class WindowView(Protocol):
    """A limit as it stands. reset_s: seconds until it is whole again."""

    @property
    def limit(self) -> int: ...

    @property
    def remaining(self) -> int: ...

    @property
    def reset_s(self) -> float: ...


class Pieces(Protocol):
    """A request's body that is not held. length: None where it is not known before its end."""

    @property
    def length(self) -> int | None: ...

    def pieces(self) -> AsyncIterator[bytes]:
        """The whole body from its beginning, at each call."""
        ...


class RequestHead(Protocol):
    """A caller's request, read as far as routing, limits and accounting need it."""

    model: str
    stream: bool
    include_usage: bool
    """The caller asked for a usage event at the end of the stream."""
    max_output_tokens: int | None
    prompt_bytes: int
    """Size of what the model will read, for estimates."""
    forwarded: Mapping[str, str]
    """Headers of the caller's that go on to a target that speaks this dialect, names in lower case."""
    sealed: bool
    """It holds a seal that the gateway made in the place of another provider's: nobody may get it as it is."""

    def member(self, name: str) -> Raw | None:
        """A top-level member of the caller's JSON."""
        ...

    def edited(
        self,
        *,
        default: Mapping[str, Any],
        set_: Mapping[str, Any],
        drop: tuple[str, ...],
        system: str | None,
    ) -> RequestHead:
        """This request after a route's edits; every byte that no edit names stays as it was."""
        ...

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        """The JSON to send to a target that speaks this dialect: `model` replaced, and if `ask_usage` and this is a
        stream the request for a usage event added."""
        ...

    def estimated_input_tokens(self) -> int: ...


class Answer(Struct, frozen=True):
    """A whole answer that is not streamed: the bytes for the caller and what was read in them.

    usage: None where it tells none; `estimated` where it tells the gateway's own.
    text_tokens: estimated tokens of the text it holds, where `usage` is None.
    """

    body: bytes
    usage: Usage | None
    text_tokens: int
    finish_reason: str | None


class StreamWatcher(Protocol):
    """Reads one upstream stream while it passes by. One instance per attempt; never blocks, never waits, never raises.

    `feed` and `close` return the bytes to send to the caller: whole events only. When the stream turns out not to be a
    usable answer (cut short, garbled, or carrying an error), they return what was good before that point and set
    `error`; from then on they return nothing.
    """

    content_started: bool
    """The first content-bearing event (text, tool call, refusal, reasoning) has been seen."""
    finished: bool
    """The dialect's own ending has been seen: nothing that follows is sent on."""
    error: UpstreamError | None
    finish_reason: str | None

    @property
    def next_number(self) -> int:
        """Of the event that would come next, in a dialect that numbers them; 0 in others."""
        ...

    @property
    def usage(self) -> Usage | None:
        """As far as the stream has come; None where it has not told any."""
        ...

    @property
    def text_tokens(self) -> int:
        """Estimated tokens of what has been passed on, for when `usage` stays None."""
        ...

    def feed(self, data: bytes) -> bytes: ...

    def close(self) -> bytes:
        """Upstream's bytes are at their end. Returns what completes the stream for the caller, or sets `error`."""
        ...


class Dialect(Protocol):
    """One wire format, as callers speak it. Stateless; one instance serves all requests."""

    name: str
    media_type: str
    """Of its streams."""
    keepalive: bytes
    """One whole keep-alive, safe between any two events."""
    id_header: str
    """Where its clients look for the request's id."""

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> RequestHead:
        """Raises InvalidRequest with the path of the first wrong field."""
        ...

    def status_of(self, error: GatewayError) -> int: ...

    def error_body(self, error: GatewayError, request_id: str) -> bytes: ...

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        """The error as the last event of a stream that has begun. number: where events are numbered, this one's."""
        ...

    def window_headers(self, name: str, window: WindowView, now_s: float, /) -> Mapping[str, str]:
        """How its clients are told of a limit. name: `requests` or `tokens`."""
        ...


class SpokenByBoth(Dialect, Protocol):
    """A dialect that a caller and its target both speak: the answer's bytes go on, and are only read."""

    def read_answer(self, body: bytes) -> Answer:
        """A complete 200 body. Raises BadAnswer, or the error object that the body holds."""
        ...

    def watch(self, *, drop_usage: bool) -> StreamWatcher:
        """drop_usage: the usage event was our wish, not the caller's; take it out."""
        ...

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        """A whole stream that says what `answer` says: for a target that answered JSON to a streaming request."""
        ...

    def answer_of(self, stream: bytes) -> Answer:
        """A whole answer folded from a stream: for a target that streamed although it was not asked to."""
        ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a target's error answer means (status >= 400). Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A name that callers may use. owner: the provider that serves it first. context_tokens: None where not known."""

    name: str
    owner: str
    context_tokens: int | None = None


class Listing(Protocol):
    """Lists of models in one vendor's shape: JSON bodies."""

    def models_body(self, models: Sequence[ListedModel], query: Mapping[str, str]) -> bytes:
        """query: the request's; raises InvalidRequest for a page that cannot be."""
        ...

    def model_body(self, model: ListedModel) -> bytes: ...


class Conversion(Protocol):
    """One request on its way to one target, and the way back of its answer: passed through, or translated.

    dropped: paths of the caller's fields that the target could not take.
    """

    @property
    def body(self) -> bytes | Pieces:
        """The request as the target reads it."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that belong to this very body, names in lower case."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]: ...

    def watch(self) -> StreamWatcher:
        """For a target that streams: what comes out is of the caller's dialect. Asked last, and once: what was written
        for the target need not be held for as long as the answer may last."""
        ...

    def read_answer(self, body: bytes) -> Answer:
        """For a target that answers as a whole. Raises BadAnswer, or the error object that the body holds."""
        ...

    def answer_of(self, stream: bytes) -> Answer:
        """For a target that streamed although it was not asked to."""
        ...

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        """For a target that answered as a whole although it was asked to stream: the stream for the caller, and the
        answer that it tells."""
        ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What an error answer means (status >= 400). Never raises."""
        ...
