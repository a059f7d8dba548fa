"""Ports for processes that a test starts."""

from __future__ import annotations

import itertools
import os
import random
import socket

_THOUSAND = 20 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
"""Tests that run beside these take from another: two gateways with workers could share a port unnoticed."""
_PORTS = itertools.cycle(random.sample(range(_THOUSAND * 1_000, (_THOUSAND + 1) * 1_000), 1_000))


def free_port() -> int:
    """Below those that the kernel gives out by itself: nobody else can be given it before the process has it. None is
    given out twice in a thousand, so that a test may ask for several."""
    while True:
        port = next(_PORTS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
