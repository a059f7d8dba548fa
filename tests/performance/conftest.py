"""Gateways as tests/gateway starts them: on uvloop, as they are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop

from tests.gateway.conftest import log, start

__all__ = ["log", "start"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}
