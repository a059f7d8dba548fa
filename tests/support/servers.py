"""Servers that tests bring along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Server(Protocol):
    def start(self) -> None: ...

    def remove(self) -> None: ...


Started = TypeVar("Started", bound=Server)


@contextmanager
def running(server: Started) -> Iterator[Started]:
    """One that has started; it is removed at the end, also when it does not start."""
    try:
        server.start()
        yield server
    finally:
        server.remove()
