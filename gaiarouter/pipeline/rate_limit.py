"""May they, now. One request and one slot are taken before the body is read, tokens once its size is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from gaiarouter.config.settings import Limits
from gaiarouter.limits.base import Lease, Limiter
from gaiarouter.limits.joint import Holder
from gaiarouter.limits.together import together
from gaiarouter.pipeline.aside import LARGE, Beside
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage

_MOST: Final = 10**15
"""Tokens: more than any window, and still a number to reckon with."""


class Shared(Protocol):
    async def claim(self, request_id: str, holders: Sequence[Holder], tokens: int, local: Lease) -> Lease:
        """Raises LimitExceeded; `local` is then still its holder's to settle."""
        ...


class RateLimit(Stage):
    """shared: where limits are counted over all processes; None counts in this one alone. aside: where large bodies are
    read."""

    def __init__(self, limiter: Limiter, *, default: Limits, aside: Beside, shared: Shared | None = None) -> None:
        self._limiter = limiter
        self._default = default
        self._shared = shared
        self._aside = aside

    async def request(self, exchange: Exchange) -> None:
        exchange.lease = lease = self._admit(exchange)
        body = await exchange.receive()
        if len(body) > LARGE:
            read = partial(exchange.dialect.read_request, body, exchange.envelope)
            exchange.request = request = await self._aside.run(exchange, read)
        else:
            exchange.request = request = exchange.dialect.read_request(body, exchange.envelope)
        exchange.estimated_input = tokens = request.estimated_input_tokens()
        if (output := request.max_output_tokens) is not None:
            # some servers take -1 for "no bound"; it must not make the window larger
            tokens += min(max(0, output), _MOST)
        lease.reserve_tokens(tokens)
        if self._shared is not None:
            exchange.lease = await self._shared.claim(exchange.id, self._holders(exchange), tokens, lease)

    def _admit(self, exchange: Exchange) -> Lease:
        key = exchange.key
        if key is None:
            return self._limiter.admit(exchange.key_id, exchange.key_name, self._default)
        own = self._limiter.admit(key.id, key.name, key.limits or self._default)
        if key.tenant is None or key.tenant.limits is None:
            return own
        tenant, shared = key.tenant, key.tenant.limits
        return together(own, lambda: self._limiter.admit(tenant.id, tenant.name, shared, kind="organization"))

    def _holders(self, exchange: Exchange) -> list[Holder]:
        key = exchange.key
        holders = [
            Holder("key", exchange.key_id, exchange.key_name, key.limits if key and key.limits else self._default)
        ]
        if key is not None and key.tenant is not None and key.tenant.limits is not None:
            holders.append(Holder("organization", key.tenant.id, key.tenant.name, key.tenant.limits))
        return holders

    def finish(self, exchange: Exchange) -> None:
        if exchange.lease is not None:
            exchange.lease.settle(exchange.usage.total_tokens if exchange.usage else None)
