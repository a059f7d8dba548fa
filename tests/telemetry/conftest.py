"""Gateways as tests/gateway starts them."""

from __future__ import annotations

from tests.gateway.conftest import log, start

__all__ = ["log", "start"]
