"""The headers of an answer: built from an empty set, so that nothing of a provider's comes down unasked."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import GatewayError, LimitExceeded, RequestRefused
from gaiarouter.limits.base import Window
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.upstream.header_lines import header_lines

_MOST_DROPPED: Final = 1024
"""Characters of the list of dropped fields; proxies refuse heads that are too large."""
_PRINTABLE: Final = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

BASE: Final = {
    "Server": "gaiarouter",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def new_request_id() -> str:
    return "req_" + secrets.token_hex(12)


def request_id(headers: Mapping[str, str], new: Callable[[], str] = new_request_id) -> str:
    """The caller's own, if it can stand in a header and a log, else a new one."""
    sent = headers.get("x-request-id")
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else new()


def plain_headers(request_id: str, dialect: Dialect | None = None) -> dict[str, str]:
    """What every answer carries, whoever gives it. dialect: of an answer to a model's caller."""
    headers = {**BASE, "x-request-id": request_id}
    if dialect is not None:
        headers[dialect.id_header] = request_id
    return headers


def exchange_headers(exchange: Exchange, now: float) -> dict[str, str]:
    """What every data-plane answer tells of how it was made."""
    return {**_common(exchange).headers, **_own(exchange, now)}


def exchange_lines(exchange: Exchange, now: float) -> str:
    """The same as they go over the wire, each line with its end. Raises InternalError for one with a line break."""
    return _common(exchange).lines + header_lines(_own(exchange, now), reader="caller")


class _Common(NamedTuple):
    """What the answers of one target have in common, as headers and as they are written."""

    headers: Mapping[str, str]
    lines: str


def _common(exchange: Exchange) -> _Common:
    route = exchange.match.route.name if exchange.match is not None else None
    served = exchange.served
    if served is None:
        return _common_of(route, None, None)
    return _common_of(route, served.provider, served.model)


@lru_cache(maxsize=1024)
def _common_of(route: str | None, provider: str | None, model: str | None) -> _Common:
    headers = dict(BASE)
    if route is not None:
        headers["x-gaia-route"] = _safe(route)
    if provider is not None and model is not None:
        headers["x-gaia-provider"] = provider
        headers["x-gaia-model"] = _safe(model)
    return _Common(headers, header_lines(headers, reader="caller"))


def _own(exchange: Exchange, now: float) -> dict[str, str]:
    """What differs from one answer to the next."""
    headers = {"x-request-id": exchange.request_id}
    headers[exchange.dialect.id_header] = exchange.request_id
    if exchange.served is not None:
        # the attempt that speaks is recorded at its end
        headers["x-gaia-attempts"] = str(len(exchange.attempts) + (1 if exchange.spoke_s else 0))
    if exchange.dropped:
        headers["x-gaia-dropped"] = _safe(", ".join(exchange.dropped))[:_MOST_DROPPED]
    if exchange.estimated:
        headers["x-gaia-estimated"] = "tokens"
    if exchange.cost_nano is not None:
        headers["x-gaia-cost"] = dollars(exchange.cost_nano)
    if exchange.spoke_s:
        headers["x-gaia-overhead-ms"] = f"{max(0.0, now - exchange.received_s - exchange.upstream_s) * 1000:.2f}"
    if exchange.lease is not None:
        windows = (("requests", exchange.lease.requests), ("tokens", exchange.lease.tokens))
        _add_windows(headers, exchange.dialect, windows)
    return headers


def dollars(nano: int) -> str:
    """As a plain decimal number, exact to the nano-dollar."""
    whole, rest = divmod(nano, 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def error_headers(error: GatewayError, dialect: Dialect) -> dict[str, str]:
    headers = {**error.headers, "x-gaia-error-source": error.source}
    if isinstance(error, RequestRefused) and error.allow is not None:
        headers["Allow"] = error.allow
    if isinstance(error, LimitExceeded):
        windows = [(name, Window(*window)) for name, window in error.windows.items()]
        _add_windows(headers, dialect, windows)
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, min(600, math.ceil(error.retry_after_s))))
        headers["retry-after-ms"] = str(max(1, min(600_000, math.ceil(error.retry_after_s * 1000))))
    if error.should_retry is not None:
        headers["x-should-retry"] = "true" if error.should_retry else "false"
    return headers


def _add_windows(headers: dict[str, str], dialect: Dialect, windows: Iterable[tuple[str, Window | None]]) -> None:
    now_s = time.time()
    for name, window in windows:
        if window is not None:
            headers |= dialect.window_headers(name, window, now_s)


@lru_cache(maxsize=1024)
def _safe(text: str) -> str:
    """Printable ASCII, the rest percent-encoded: a name that callers choose must not break out of its header."""
    return quote(text, safe=_PRINTABLE)
