"""Headers of answers: no value can break out of its line, and waits are told in the ways that clients read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.config.settings import Group, Route, Target
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import (
    GatewayError,
    InvalidRequest,
    KeyRefused,
    LimitExceeded,
    RequestRefused,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from gaiarouter.limits.base import Window
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.routing.base import Match, ResolvedTarget
from gaiarouter.server.headers import error_headers, exchange_headers, request_id


class NoReply:
    started = committed = False

    def hold(self, seconds: float) -> None: ...

    async def answer(self, body: bytes) -> None: ...

    async def send(self, data: bytes) -> None: ...

    def send_now(self, data: bytes) -> bool:
        return True

    async def room(self) -> None: ...


class FixedLease:
    """A lease whose windows are given."""

    def __init__(self, requests: Window | None, tokens: Window | None) -> None:
        self.requests = requests
        self.tokens = tokens

    def reserve_tokens(self, tokens: int) -> None: ...

    def settle(self, tokens: int | None) -> None: ...


async def no_body() -> bytes:
    return b""


def exchange(route: str = "r", model: str = "m") -> Exchange:
    made = Exchange(
        id="1",
        request_id="req_1",
        dialect=ChatDialect(),
        credentials=(),
        receive=no_body,
        reply=NoReply(),
        received_s=10.0,
        received_us=0,
    )
    made.match = Match(Route(route, (route,), Group((Target("p"),))), model, route, (), ())
    made.served = ResolvedTarget("p", model, route)
    return made


@given(route=st.text(max_size=80), model=st.text(max_size=80))
def test_no_name_breaks_out_of_its_header(route: str, model: str) -> None:
    for name, value in exchange_headers(exchange(route, model), 11.0).items():
        assert value.isascii(), name
        assert value.isprintable(), name


@given(sent=st.text(max_size=200))
def test_a_request_id_is_the_callers_only_if_it_is_harmless(sent: str) -> None:
    kept = request_id({"x-request-id": sent})
    assert kept == sent or kept.startswith("req_")
    assert 1 <= len(kept) <= 128
    assert set(kept) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def test_request_ids_are_new_each_time() -> None:
    assert len({request_id({}) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0ms"),
        (0.0001, "1ms"),
        (0.012, "12ms"),
        (0.9999, "1000ms"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (1.0001, "1.001s"),
        (34.07, "34.07s"),
        (59.9995, "60s"),
        (60.0, "1m0s"),
        (61.2, "1m2s"),
        (360.0, "6m0s"),
        (3600.0, "60m0s"),
    ],
)
def test_a_reset_is_written_as_go_writes_durations(seconds: float, told: str) -> None:
    made = exchange()
    made.lease = FixedLease(Window(10, 9, seconds), None)
    headers = exchange_headers(made, 11.0)
    assert headers["x-ratelimit-reset-requests"] == told
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert "x-ratelimit-limit-tokens" not in headers


def test_the_overhead_is_what_the_provider_did_not_take() -> None:
    made = exchange()
    assert "x-gaia-overhead-ms" not in exchange_headers(made, 12.0), "nothing has spoken yet"
    made.spoke_s, made.upstream_s = 12.0, 1.75
    assert exchange_headers(made, 12.0)["x-gaia-overhead-ms"] == "250.00"
    made.upstream_s = 3.0
    assert exchange_headers(made, 12.0)["x-gaia-overhead-ms"] == "0.00", "clocks of two threads may differ"


ERRORS: list[tuple[GatewayError, dict[str, str]]] = [
    (InvalidRequest("x"), {"x-gaia-error-source": "gateway"}),
    (Unauthenticated(), {"x-gaia-error-source": "gateway", "WWW-Authenticate": "Bearer"}),
    (
        RequestRefused("x", status=405, code="method_not_allowed", allow="POST"),
        {"x-gaia-error-source": "gateway", "Allow": "POST"},
    ),
    (
        LimitExceeded("x", retry_after_s=0.0001),
        {"x-gaia-error-source": "gateway", "retry-after": "1", "retry-after-ms": "1"},
    ),
    (
        Unavailable("x", retry_after_s=1.2),
        {"x-gaia-error-source": "gateway", "retry-after": "2", "retry-after-ms": "1200"},
    ),
    (
        Throttled("x", retry_after_s=1e9),
        {"x-gaia-error-source": "upstream", "retry-after": "600", "retry-after-ms": "600000"},
    ),
    (KeyRefused("x"), {"x-gaia-error-source": "upstream", "x-should-retry": "false"}),
]


@pytest.mark.parametrize(("error", "headers"), ERRORS)
def test_an_error_says_whose_it_is_and_when_to_come_back(error: GatewayError, headers: dict[str, str]) -> None:
    assert error_headers(error, ChatDialect()) == headers
