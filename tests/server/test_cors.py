"""Browser pages: those of configured origins, exactly, and no others."""

from __future__ import annotations

import pytest

from tests.gateway.running import Starter

PAGE = "https://chat.example.com"
CORS = {"port": 8000, "cors": {"origins": [PAGE, "http://localhost:3000"]}}
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,anthropic-version",
}


def _cors(headers: object) -> set[str]:
    return {name for name in headers if name.startswith("access-control-")}  # type: ignore[attr-defined]


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/models", "/v1/api-keys", "/v1beta/models/x:generateContent"]
)
async def test_a_page_of_a_configured_origin_may_ask(start: Starter, origin: str, path: str) -> None:
    gateway = await start(server=CORS)
    reply = await gateway.request("OPTIONS", path, headers={"origin": origin, **PREFLIGHT})
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == origin
    assert reply.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in reply.headers
    assert reply.headers["vary"] == "Origin"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_page_may_read_answers_and_errors(start: Starter, stream: bool) -> None:
    gateway = await start(server=CORS)
    for model, status in [("demo", 200), ("nothing", 404)]:
        reply = await gateway.chat(model, headers={"origin": PAGE}, stream=stream)
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert reply.headers["access-control-expose-headers"] == "*"
        assert "access-control-allow-credentials" not in reply.headers
    assert (await gateway.get("/nothing", headers={"origin": PAGE})).headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example.com.evil.com",
        "https://evil.com",
        "http://chat.example.com",
        "https://chat.example.com:8443",
        "https://CHAT.example.com",
        "https://chat.example.com/",
        "null",
        "*",
        "",
    ],
)
async def test_a_page_of_another_origin_may_not(start: Starter, origin: str) -> None:
    gateway = await start(server=CORS)
    asked = await gateway.request("OPTIONS", "/v1/chat/completions", headers={"origin": origin, **PREFLIGHT})
    assert asked.status == 405
    for reply in (asked, await gateway.chat("demo", headers={"origin": origin})):
        assert _cors(reply.headers) == set()
        assert reply.headers["vary"] == "Origin"


async def test_without_configured_origins_no_page_may(start: Starter) -> None:
    gateway = await start()
    for reply in (
        await gateway.request("OPTIONS", "/v1/chat/completions", headers={"origin": PAGE, **PREFLIGHT}),
        await gateway.chat("demo", headers={"origin": PAGE}),
    ):
        assert _cors(reply.headers) == set()
        assert "vary" not in reply.headers


async def test_names_of_headers_that_are_none_are_not_sent_back(start: Starter) -> None:
    gateway = await start(server=CORS)
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "a<b>;é"}
    reply = await gateway.request("OPTIONS", "/v1/models", headers=asked)
    assert reply.status == 204
    assert "access-control-allow-headers" not in reply.headers


async def test_an_options_that_is_no_preflight_is_a_method_like_others(start: Starter) -> None:
    gateway = await start(server=CORS)
    reply = await gateway.request("OPTIONS", "/v1/models", headers={"origin": PAGE})
    assert reply.status == 405
