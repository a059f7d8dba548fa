"""What was kept, on its way to the caller. Nothing of it is used a second time, so that nothing is billed."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.chat.provider_errors import read_callers_mistake, read_error
from gaiarouter.dialects.kept.handles import Marking, marked_answer, marked_event
from gaiarouter.dialects.kept.request import KeptHead
from gaiarouter.dialects.passed.conversion import EVENTS, Passing
from gaiarouter.dialects.passed.watching import EventWatcher
from gaiarouter.dialects.responses.wire import number_after
from gaiarouter.errors import BadAnswer, UpstreamError

_NOT_FOUND = 404
_ENDINGS = (".completed", ".failed", ".incomplete", ".cancelled")


class _Watcher(EventWatcher):
    """Of an answer that is still being made."""

    def __init__(self, marking: Marking | None) -> None:
        super().__init__(Usage(), endings=_ENDINGS)
        self._marking = marking
        self._last = b""

    @property
    def next_number(self) -> int:
        return number_after(self._last)

    def told(self, event: bytes, data: bytes) -> bytes:
        self._last = data
        return event if self._marking is None else marked_event(event, data, self._marking)


class Kept(Passing):
    """Implements dialects.base.Conversion. marking: None where handles are told as they are."""

    dropped: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    body = b""

    def __init__(self, marking: Marking | None) -> None:
        self._marking = marking

    def passing(self, media_type: str) -> EventWatcher | None:
        return _Watcher(self._marking) if media_type == EVENTS else None

    def read_answer(self, body: bytes) -> Answer:
        try:
            msgspec.json.decode(body, type=dict[str, Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer("The provider's answer is not JSON") from error
        return Answer(body if self._marking is None else marked_answer(body, self._marking), Usage(), 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What is not there is the caller's mistake, here, whose handle it is."""
        if status == _NOT_FOUND:
            return read_callers_mistake(status, headers, body)
        return read_error(status, headers, body)


def told(head: KeptHead, url: str) -> str:
    """head's address at a provider. url: where that is asked for new answers, which may end in a query."""
    before, mark, query = url.partition("?")
    path, _, asked = head.path.partition("?")
    queries = "&".join(each for each in (query if mark else "", asked) if each)
    return f"{before}{path}" + (f"?{queries}" if queries else "")
