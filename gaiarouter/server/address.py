"""Whether the gateway may listen on an address: asked before a start makes the first key.

A start that fails after the first key was made would have made it for nobody: it is shown only once.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Final

_HINTS: Final[Mapping[int | None, str]] = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another port with `--port`",
    errno.EACCES: "ports below 1024 are for the superuser; choose another with `--port`",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address; `--host 0.0.0.0` listens on all",
}


class AddressUnusable(Exception):
    """Its text says which address, why, and what to do."""


def prove_free(address: tuple[str, int], *, shared_port: bool) -> None:
    """Takes it for a moment. shared_port: other processes of this gateway listen there too. Raises AddressUnusable."""
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressUnusable(why_not(address, error)) from error
    failures: list[OSError] = []
    for family, _, _, _, place in found:
        try:
            _bind(family, place, shared_port=shared_port)
        except OSError as error:
            failures.append(error)
    # a name may have an address of a kind that this machine has not: listening passes over it
    grave = [error for error in failures if error.errno in (errno.EADDRINUSE, errno.EACCES)]
    if grave or len(failures) == len(found):
        raise AddressUnusable(why_not(address, (grave or failures)[0])) from (grave or failures)[0]


def why_not(address: tuple[str, int], error: OSError) -> str:
    """For whoever starts the gateway."""
    hint = _HINTS.get(error.errno)
    return f"cannot listen on {address[0]}:{address[1]}: {error.strerror}" + (f": {hint}" if hint else "")


def _bind(family: int, place: tuple[object, ...], *, shared_port: bool) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared_port:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(place)
