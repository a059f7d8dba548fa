"""An address of their own for operators: there and nowhere else the control plane and the metrics are served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.process import served
from tests.support.ports import free_port

ADMIN_KEY = "operator-0f9c1e7ad2b84f63a5e1c0d97b"
OPERATORS = ("/v1/organizations", "/v1/users", "/v1/api-keys", "/v1/routes/health", "/metrics")
CALLERS = ("/v1/models", "/v1beta/models")
BOTH = ("/health", "/health/ready", "/health/live", "/openapi.json", "/docs", "/docs/page.js")


async def test_operators_and_callers_have_an_address_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIAROUTER_ADMIN_KEY", ADMIN_KEY)
    aside = free_port()
    async with served(tmp_path, {}, server={"admin_listen": f"127.0.0.1:{aside}"}) as gateway:

        async def status(port: int, path: str, key: str, method: str = "GET") -> int:
            url = f"http://127.0.0.1:{port}{path}"
            async with gateway.session.request(method, url, headers={"authorization": f"Bearer {key}"}) as response:
                await response.read()
                return response.status

        for path in OPERATORS:
            assert await status(aside, path, ADMIN_KEY) == 200
            assert await status(gateway.port, path, ADMIN_KEY) == 404
        for path in CALLERS:
            assert await status(gateway.port, path, gateway.key) == 200
            assert await status(aside, path, gateway.key) == 404
        for path in BOTH:
            assert await status(gateway.port, path, "") == 200
            assert await status(aside, path, "") == 200
        assert await status(aside, "/v1/chat/completions", gateway.key, "POST") == 404
        assert (await gateway.chat()).status == 200
        said = {}
        for port in (gateway.port, aside):
            async with gateway.session.get(f"http://127.0.0.1:{port}/openapi.json") as response:
                said[port] = set((await response.json())["paths"])
        assert not said[aside] & set(CALLERS)
        assert not said[gateway.port] & set(OPERATORS) - {"/metrics"}
        gateway.signal()
        assert await gateway.exit(within_s=10) == 0
