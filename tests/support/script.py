"""What a scripted upstream can be told to do: the steps, and the common answers made of them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Send:
    """Writes `data` `times` times (None: until the client is gone), at the client's pace."""

    data: bytes
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Drip:
    """Writes `data` a byte at a time, one each `every_s`."""

    data: bytes
    every_s: float = 0.01


@dataclass(frozen=True, slots=True)
class Until:
    """Waits for the test to set `event`; what the client does meanwhile is noticed, not answered."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Deaf:
    """Does not even read until the test sets `event`: the kernel's buffers fill up, then the client's."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Read:
    """Takes `count` raw bytes from the client."""

    count: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Says nothing more until the client closes the connection or the test ends."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Breaks the connection off with RST."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Sends FIN, and keeps its receiving side open."""


@dataclass(frozen=True, slots=True)
class Close:
    """Closes the connection after what has been written (FIN)."""


Step = Send | Drip | Until | Deaf | Read | Hang | Reset | HalfClose | Close
Script = Sequence[Step]


def head(status: int = 200, headers: Mapping[str, str] | None = None, *, version: str = "1.1") -> bytes:
    """A response head; nothing is added to `headers`."""
    lines = [f"HTTP/{version} {status} Scripted", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> tuple[Step, ...]:
    """A whole answer with its length, in one write."""
    return (Send(head(status, {"content-length": str(len(body)), **(headers or {})}) + body),)


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> tuple[Step, ...]:
    """`value` as JSON (bytes are taken as they are)."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return answer(body, status=status, headers={"content-type": "application/json", **(headers or {})})


def error_answer(
    status: int, *, message: str = "scripted failure", code: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[Step, ...]:
    """An error in the shape of OpenAI's."""
    error = {"message": message, "type": "scripted", "param": None, "code": code}
    return json_answer({"error": error}, status=status, headers=headers)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; of no bytes it is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


SSE_HEAD = head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})
LAST_CHUNK = b"0\r\n\r\n"


def sse(*values: Any) -> bytes:
    """Events with `values` as JSON data; bytes are taken as the data itself (`b"[DONE]"`)."""
    data = (value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)
    return b"".join(b"data: " + item + b"\n\n" for item in data)


def sse_answer(events: Iterable[bytes], *, cuts: Sequence[int] | None = None, end: bool = True) -> tuple[Step, ...]:
    """A 200 event stream. Each item of `events` is a write and a chunk of its own; with `cuts` they are joined and cut
    at those places instead. Without `end` the last chunk is left out (follow with what happens then)."""
    parts = list(events)
    if cuts is not None:
        stream = b"".join(parts)
        edges = [0, *sorted(cuts), len(stream)]
        parts = [stream[a:b] for a, b in itertools.pairwise(edges)]
    steps = [Send(SSE_HEAD), *(Send(chunk(part)) for part in parts if part)]
    return (*steps, Send(LAST_CHUNK)) if end else tuple(steps)
