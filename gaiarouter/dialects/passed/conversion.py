"""One such request on its way to one target, and its answer on the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer, Pieces, StreamWatcher
from gaiarouter.dialects.chat.provider_errors import read_error
from gaiarouter.dialects.passed.answer import read_answer
from gaiarouter.dialects.passed.request import PassedHead
from gaiarouter.dialects.passed.watching import ByteWatcher, EventWatcher
from gaiarouter.dialects.whole import NeverStreams
from gaiarouter.errors import UpstreamError

EVENTS = "text/event-stream"
_JSON = "application/json"
_ANYTHING: Mapping[str, str] = {"accept": "*/*"}


class Form(Protocol):
    """A caller's form, in which a model's name may stand in the place of the one that the caller gave."""

    @property
    def media_type(self) -> str: ...

    def length(self, model: str) -> int | None:
        """Bytes with this name in it; None where the caller did not say how much will come."""
        ...

    def pieces(self, model: str) -> AsyncIterator[bytes]:
        """From the beginning, at each call. Raises the caller's errors."""
        ...


@dataclass(frozen=True, slots=True)
class _NamedForm:
    """Implements dialects.base.Pieces."""

    form: Form
    model: str

    @property
    def length(self) -> int | None:
        return self.form.length(self.model)

    def pieces(self) -> AsyncIterator[bytes]:
        return self.form.pieces(self.model)


class Passing(NeverStreams):
    """A conversion whose answer is whatever the target makes of it, a stream or not."""

    def passing(self, media_type: str) -> StreamWatcher | None:
        """What reads an answer of this type while it goes by; None where it must be whole, for `read_answer`."""
        raise NotImplementedError


class Passed(Passing):
    """Implements dialects.base.Conversion.

    form: the body, of an operation that has one.
    """

    dropped: tuple[str, ...] = ()

    def __init__(self, head: PassedHead, form: Form | None, *, model: str) -> None:
        self._operation = head.operation
        self._otherwise = Usage(
            in_uncached=head.estimated_input_tokens(), estimated=True, units=dict(head.units) or None
        )
        self.headers: Mapping[str, str] = _ANYTHING if head.operation.bytes else head.forwarded
        self.body: bytes | Pieces
        if form is None:
            self.body = head.body_for(model=model, ask_usage=False)
        else:
            self.headers = {**self.headers, "content-type": form.media_type}
            self.body = _NamedForm(form, model)

    def passing(self, media_type: str) -> StreamWatcher | None:
        if media_type == EVENTS:
            return EventWatcher(self._otherwise)
        if self._operation.bytes and media_type != _JSON:
            return ByteWatcher(self._otherwise, is_text=media_type.startswith("text/"))
        return None

    def read_answer(self, body: bytes) -> Answer:
        return read_answer(body, otherwise=self._otherwise, pictures=self._operation.name.startswith("images"))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
