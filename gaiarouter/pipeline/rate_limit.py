"""May they, now. One request and one slot are taken before the body is read, tokens once its size is known."""

from __future__ import annotations

from gaiarouter.config.settings import Limits
from gaiarouter.limits.base import Lease, Limiter
from gaiarouter.limits.together import together
from gaiarouter.pipeline.exchange import Exchange


class RateLimit:
    def __init__(self, limiter: Limiter, *, default: Limits) -> None:
        self._limiter = limiter
        self._default = default

    async def request(self, exchange: Exchange) -> None:
        exchange.lease = self._admit(exchange)
        body = await exchange.receive()
        exchange.request = request = exchange.dialect.read_request(body, exchange.envelope)
        # some servers take -1 for "no bound"; it must not make the window larger
        output = max(0, request.max_output_tokens or 0)
        exchange.lease.reserve_tokens(request.estimated_input_tokens() + output)

    def _admit(self, exchange: Exchange) -> Lease:
        key = exchange.key
        limits = key.limits if key and key.limits else self._default
        own = self._limiter.admit(exchange.key_id, exchange.key_name, limits)
        if key is None or key.tenant is None or key.tenant.limits is None:
            return own
        tenant, shared = key.tenant, key.tenant.limits
        return together(own, lambda: self._limiter.admit(tenant.id, tenant.name, shared, kind="organization"))

    def finish(self, exchange: Exchange) -> None:
        if exchange.lease is not None:
            exchange.lease.settle(exchange.usage.total_tokens if exchange.usage else None)
