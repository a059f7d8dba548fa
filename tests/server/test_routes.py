"""What every path and method answers, also those that are none of ours: JSON in OpenAI's shape, with an id."""

from __future__ import annotations

import pytest

from tests.gateway.running import Starter, assert_error

HINT = "Did you mean `/v1/chat/completions`?"
DOUBLED = "`/v1` is doubled"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/%0a", 404, "not_found"),
        ("GET", "/%0d%0aset-cookie:%20x=1", 404, "not_found"),
        ("POST", "/v1/chat/completions/", 404, "not_found"),
        ("POST", "//v1/chat/completions", 404, "not_found"),
        ("POST", "/v1/chat/%63ompletions/x", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("PUT", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/models/demo", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("PATCH", "/metrics", 405, "method_not_allowed"),
        ("UNSUBSCRIBE", "/health/live", 405, "method_not_allowed"),
    ],
)
async def test_what_is_no_route_is_refused_in_json(
    start: Starter, method: str, path: str, status: int, code: str
) -> None:
    gateway = await start()
    reply = await gateway.request(method, path)
    assert_error(reply, status, code)
    assert reply.headers["x-gaia-error-source"] == "gateway"
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1/chat/completions", "POST"), ("/v1/models", "GET, HEAD"), ("/v1/models/a/b", "GET, HEAD")],
)
async def test_a_wrong_method_is_told_the_right_ones(start: Starter, path: str, allowed: str) -> None:
    gateway = await start()
    reply = await gateway.request("PATCH", path)
    assert reply.headers["allow"] == allowed
    assert allowed in reply.error["message"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", HINT),
        ("/v1/v1/chat/completions", DOUBLED),
        ("/v1/v1/models", DOUBLED),
        ("/v2/chat/completions", "There is no such path"),
    ],
)
async def test_a_base_url_with_one_v1_too_many_or_too_few_is_recognised(start: Starter, path: str, hint: str) -> None:
    gateway = await start()
    reply = await gateway.request("POST", path)
    assert_error(reply, 404, "not_found")
    assert hint in reply.error["message"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/metrics"])
async def test_machines_need_no_key(start: Starter, path: str) -> None:
    gateway = await start()
    reply = await gateway.request("GET", path)
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["server"] == "gaiarouter"


async def test_health_says_what_runs_and_nothing_secret(start: Starter) -> None:
    gateway = await start()
    health = (await gateway.request("GET", "/health")).json()
    assert set(health) == {"status", "version", "config", "uptime_s"}
    assert health["status"] == "ok"


@pytest.mark.parametrize("sent", ["abc", "A.b_c-9", "x" * 128])
async def test_a_good_request_id_is_kept(start: Starter, sent: str) -> None:
    gateway = await start()
    for path in ("/nothing", "/health", "/v1/models", "/metrics"):
        assert (await gateway.get(path, headers={"x-request-id": sent})).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "a;b", "é", "<script>"])
async def test_a_bad_request_id_is_replaced(start: Starter, sent: str) -> None:
    gateway = await start()
    reply = await gateway.get("/v1/models", headers={"x-request-id": sent})
    assert reply.headers["x-request-id"].startswith("req_")


async def test_a_query_changes_nothing(start: Starter) -> None:
    gateway = await start()
    reply = await gateway.post(
        {"model": "demo", "messages": [{"role": "user", "content": "x"}]}, path="/v1/chat/completions?beta=true"
    )
    assert reply.status == 200
