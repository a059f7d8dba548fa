"""Counting a request's tokens: what it is in every dialect that has it.

A request to be counted is one to be answered but for what says how, so that it is read and written as one. Nothing here
knows which dialect it is of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import msgspec

from gaiarouter.canonical.counting import TokenCount
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import BARE, Answer, Dialect, Envelope, RequestHead, WindowView
from gaiarouter.dialects.body import parse, unread
from gaiarouter.dialects.members import HasMembers, JsonObject
from gaiarouter.dialects.preferences import MEMBERS
from gaiarouter.dialects.translate import PreparedRequest
from gaiarouter.dialects.whole import NeverStreams
from gaiarouter.errors import GatewayError, Rejected, Throttled, UpstreamError

NOTHING_USED = Usage()
"""A count is not billed."""


def counted_in(dialect: str) -> str:
    """The name of the operation, for a dialect's."""
    return f"{dialect}.count_tokens"


class CountFormat(Protocol):
    """How one dialect has tokens counted. Stateless.

    counted: members of a request to be answered that a count depends on: a route's edits of others are none of it.
    """

    @property
    def counted(self) -> Collection[str]: ...

    def unwrap(self, body: JsonObject) -> bytes:
        """A caller's request to be counted as one to be answered."""
        ...

    def wrap(self, whole: bytes, like: JsonObject) -> bytes:
        """What was unwrapped back in the form that it had."""
        ...

    def named(self, body: JsonObject, *, model: str) -> bytes:
        """A caller's request to be counted, for this model of a target that speaks the dialect."""
        ...

    def body_of(self, body: bytes, *, model: str) -> bytes:
        """body: of a request to be answered, as written for a target. Returns the one to have it counted."""
        ...

    def read_count(self, body: bytes) -> TokenCount:
        """A 200. Raises BadAnswer."""
        ...

    def write_count(self, count: TokenCount) -> bytes: ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Never raises."""
        ...


@dataclass(slots=True)
class CountHead(HasMembers):
    """Implements dialects.base.RequestHead.

    whole: the request as one to be answered. Its tokens are no tokens of this one, which uses none.
    """

    model: str
    prompt_bytes: int
    forwarded: Mapping[str, str]
    whole: RequestHead
    _format: CountFormat
    _object: JsonObject
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    sealed: bool = False

    def estimated_input_tokens(self) -> int:
        """What it takes of the caller's limits."""
        return 0

    def estimate(self) -> TokenCount:
        return TokenCount(self.whole.estimated_input_tokens())

    def canonical(self, decode: Callable[[bytes], CanonicalRequest]) -> CanonicalRequest:
        """decode: the dialect's, of requests to be answered. Raises InvalidRequest."""
        request = decode(self.whole.body_for(model=self.model, ask_usage=False))
        paths = {slot: path for slot, path in request.paths.items() if slot != "max_output_tokens"}
        return msgspec.structs.replace(request, stream=False, max_output_tokens=None, paths=paths)

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        return self._format.named(self._object, model=model)

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> Self:
        counted = self._format.counted
        whole = self.whole.edited(
            default={name: value for name, value in default.items() if name in counted},
            set_={name: value for name, value in set_.items() if name in counted},
            drop=tuple(name for name in drop if name in counted or name in MEMBERS),
            system=system,
        )
        body = self._format.wrap(whole.body_for(model=whole.model, ask_usage=False), self._object)
        return replace(self, whole=whole, prompt_bytes=whole.prompt_bytes, _object=JsonObject(body))


class CountDialect:
    """Implements dialects.base.Dialect for the counting of one. dialect: the one that it is of."""

    media_type = "application/json"
    keepalive = b""

    def __init__(self, dialect: Dialect, format_: CountFormat) -> None:
        self.name = counted_in(dialect.name)
        self.id_header = dialect.id_header
        self._dialect = dialect
        self._format = format_

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> CountHead:
        _, members = parse(body, unread)
        whole = self._dialect.read_request(self._format.unwrap(members), envelope)
        return CountHead(
            whole.model, whole.prompt_bytes, whole.forwarded, whole, self._format, members, sealed=whole.sealed
        )

    def status_of(self, error: GatewayError) -> int:
        return self._dialect.status_of(error)

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return self._dialect.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        return self._dialect.error_event(error, request_id, number)

    def window_headers(self, name: str, window: WindowView, now_s: float, /) -> Mapping[str, str]:
        return self._dialect.window_headers(name, window, now_s)


class CountPassed(NeverStreams):
    """Implements dialects.base.Conversion: caller and target count in the same dialect."""

    dropped: tuple[str, ...] = ()

    def __init__(self, head: CountHead, format_: CountFormat, *, model: str) -> None:
        self._format = format_
        self.headers = head.forwarded
        self.body = head.body_for(model=model, ask_usage=False)

    def read_answer(self, body: bytes) -> Answer:
        self._format.read_count(body)
        return Answer(body, NOTHING_USED, 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return _of_counting(self._format.read_error(status, headers, body))


class CountTranslated(NeverStreams):
    """Implements dialects.base.Conversion: the target counts in a dialect of its own. prepared: the request as one to
    be answered there. caller: how the count is told."""

    def __init__(self, prepared: PreparedRequest, format_: CountFormat, caller: CountFormat, *, model: str) -> None:
        self._format = format_
        self._caller = caller
        self.headers = prepared.headers
        self.body = format_.body_of(prepared.body, model=model)
        self.dropped = tuple(loss.path for loss in prepared.losses)

    def read_answer(self, body: bytes) -> Answer:
        return Answer(self._caller.write_count(self._format.read_count(body)), NOTHING_USED, 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        error = _of_counting(self._format.read_error(status, headers, body))
        if isinstance(error, Rejected):
            error.body = None  # of another dialect than the caller's
        return error


def _of_counting(error: UpstreamError) -> UpstreamError:
    """Providers limit the rate of counting by itself: answers of the same key are not to suffer from it."""
    if isinstance(error, Throttled):
        error.retryable = False
    return error
