"""Each target takes any bytes, and fails where a parser breaks a promise of its own."""

from __future__ import annotations

import asyncio
import math
import re
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from gaiarouter.config import document
from gaiarouter.config.problems import Findings
from gaiarouter.dialects import body, sse
from gaiarouter.dialects.members import JsonObject
from gaiarouter.dialects.waiting import retry_after_s
from gaiarouter.errors import GatewayError, InvalidRequest
from gaiarouter.routing.glob import ANY, NAME_LIMIT, CharSet, Glob, GlobError
from gaiarouter.server.credentials import credentials
from gaiarouter.store.keys import parse
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.http1.wire import Wire


def _cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """The input's first three bytes say where the rest of it is cut."""
    rest = data[3:]
    edges = sorted({0, *(at % (len(rest) + 1) for at in data[:3]), len(rest)})
    return rest, [rest[a:b] for a, b in pairwise(edges)]


def events(data: bytes) -> None:
    """Server-sent events: no byte is lost, and the cuts do not matter."""
    stream, parts = _cut(data)
    framer = sse.EventFramer()
    raws = [raw for part in parts for raw in framer.feed(part)]
    raws.append(framer.close())
    assert b"".join(raws) == stream.removeprefix(b"\xef\xbb\xbf")
    whole = sse.EventFramer()
    assert _said(raws) == _said([*whole.feed(stream), whole.close()])
    for raw in raws:
        if (sole := sse.sole_data(raw)) is not None:
            assert sse.read_event(raw).data == sole


def _said(raws: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    read = map(sse.read_event, raws)
    return [(event.name, event.data) for event in read if event.data is not None]


_any_object = msgspec.json.Decoder(dict[str, Any]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def json(data: bytes) -> None:
    """A body is refused as the caller's mistake, or what is changed in it is all that changes."""
    try:
        _, members = body.parse(data, _any_object)
    except InvalidRequest:
        return
    before = {name: bytes(value) for name, value in members.members.items()}
    drop = tuple(before)[:1]
    for name, (_, _, start, end) in members.spans.items():
        assert data[start:end] == before[name]
    after = {name: bytes(value) for name, value in _members(members.patched({"model": b'"m"'}, drop)).items()}
    assert after == {name: value for name, value in before.items() if name not in drop} | {"model": b'"m"'}
    assert JsonObject(data).patched({}) == data


def yaml(data: bytes) -> None:
    """Any text is read or refused, and what is read is small and shallow."""
    findings = Findings("fuzz")
    read = document.read(data.decode("utf-8", "replace"), findings)
    assert read is not None or findings.sorted()
    if read is not None:
        assert _depth(read.data) <= document.MAX_DEPTH


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, dict | list) else 0


_HINTS = ("retry-after", "date", "retry-after-ms", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")


def retry_after(data: bytes) -> None:
    """Whatever a provider says, it is a time to wait or nothing."""
    *fields, message = data.decode("latin-1").split("\n")
    try:
        error = _any_object(message.encode("latin-1"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = {}
    seconds = retry_after_s(dict(zip(_HINTS, fields, strict=False)), error, message)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


def globs(data: bytes) -> None:
    """A glob says what the regular expression of the same meaning says, of short names: that one takes its time."""
    text, _, name = data.decode("utf-8", "replace").partition("\0")
    try:
        glob = Glob(text)
    except GlobError:
        return
    found = glob.match(name)
    assert found is None or len(name) <= NAME_LIMIT
    if len(name) <= 48 and len(glob.segments) <= 4:
        expected = re.fullmatch(_expression(glob), name, re.DOTALL)
        assert found == (expected and expected.groups())


def _expression(glob: Glob) -> str:
    return "(.*?)".join("".join(map(_one, segment.elements)) for segment in glob.segments)


def _one(element: str | CharSet) -> str:
    if isinstance(element, str):
        return re.escape(element)
    if element == ANY:
        return "."
    ranges = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in element.ranges)
    return f"[{'^' if element.negated else ''}{ranges}]"


_NAMES = ("Authorization", "x-api-key", "x-goog-api-key", "api-key", "AUTHORIZATION")


def keys(data: bytes) -> None:
    """Every credential found is some text, and reading a key out of it raises nothing."""
    *lines, query = data.decode("utf-8", "surrogateescape").split("\n")
    headers = CIMultiDict((_NAMES[at % len(_NAMES)], line) for at, line in enumerate(lines))
    for text in credentials(CIMultiDictProxy(headers), from_query=query):
        assert text
        assert text == text.strip()
        parse(text)


@dataclass(frozen=True, slots=True)
class _Heard:
    """Of one answer; of one that breaks, that it does."""

    status: int = 0
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    reusable: bool = False


class _Transport(asyncio.Transport):
    """The socket is only there to be asked whether anything waits in it; nothing ever does."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self._end = end
        self.aborted = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._end

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


_NO_TIMEOUTS: Final = AttemptTimeouts(math.inf, math.inf, math.inf, math.inf)


class _Answers:
    """Made once: a loop that never runs, and a pair of sockets."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ends = socket.socketpair()

    def heard(self, parts: Sequence[bytes]) -> _Heard:
        wire, transport = Wire(self._loop, lambda lost: None), _Transport(self._ends[0])
        wire.connection_made(transport)
        wire.begin(_NO_TIMEOUTS)
        for part in parts:
            if not transport.aborted and part:
                wire.data_received(part)
        wire.connection_lost(None)
        try:
            _outcome(wire.head())
            whole = b""
            while part := _outcome(wire.receive()):
                whole += part
        except GatewayError:
            return _Heard()
        wire.transport = transport  # as if it were still there
        return _Heard(wire.status, dict(wire.headers), whole, wire.release())


def _outcome(step: Coroutine[Any, Any, Any]) -> Any:
    """Of what need not wait: the connection is over, so that all that will come has come."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("waits for more of a connection that is over")


_answers = _Answers()


def http(data: bytes) -> None:
    """A provider's answer is the same however it is cut, or broken; nothing waits when the connection is over.

    A blank line after it is passed over where it came in the same read, and is the end of the connection elsewhere.
    """
    stream, parts = _cut(data)
    whole, cut = _answers.heard([stream]), _answers.heard(parts)
    assert replace(whole, reusable=cut.reusable) == cut
    assert whole.reusable == cut.reusable or (whole.reusable and stream.endswith((b"\r", b"\n")))


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "events": events,
    "json": json,
    "yaml": yaml,
    "retry_after": retry_after,
    "globs": globs,
    "keys": keys,
    "http": http,
}

SEEDS: Mapping[str, Sequence[bytes]] = {
    "events": (b"\1\7\x20data: {}\n\ndata: [DONE]\n\n", b"\3\5\x09\xef\xbb\xbfevent: a\r\ndata: b\r\n\r\n:c\r\r"),
    "json": (
        b'{"model": "gpt", "messages": [{"role": "user", "content": "\\u00e9"}], "n": 1e5}',
        b'{"a":1,"a":2}',
        b"[]",
    ),
    "yaml": (
        b"routes:\n- match: [a, 'b*']\n  targets: &t\n  - {provider: x}\nx: *t\n",
        b"a: !!python/none 1\n---\nb: 2",
    ),
    "retry_after": (
        b"1.5\nSat, 28 Nov 2026 10:00:00 GMT\n20\n0\n6m0s\nPlease try again in 1.2s.",
        b'Sat, 28 Nov 2026 10:00:09 GMT\nSat, 28 Nov 2026 10:00:00 GMT\n{"details":[{"retryDelay":"3s"}]}',
    ),
    "globs": (b"openai/*\0openai/gpt", b"[!a-z]?*-*\0Ab-c-d", b"[]a]*[*]\0]x*"),
    "keys": (b"Bearer sk-gaia-abc\nk\n", b"bearer  x \n\xff\nkey"),
    "http": (
        b"\x09\x20\x40HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\n{}",
        b"\x11\x33\x50HTTP/1.1 100\n\nHTTP/1.1 200 O\r\nTransfer-Encoding:chunked\r\n\r\n2;a\r\n{}\r\n0\r\nt:\r\n\r\n",
        b"\1\2\3HTTP/1.0 204 No\r\n\r\nHTTP/1.1 200",
    ),
}
