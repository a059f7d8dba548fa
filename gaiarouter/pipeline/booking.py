"""The last step before anything is spent: the request is written down as running, so that none goes without a trace,
and what it may cost is taken from the budgets that hold for it.
"""

from __future__ import annotations

from typing import Final, Protocol

from gaiarouter.ledger.lines import Begun
from gaiarouter.ledger.pricing import Pricing
from gaiarouter.limits.base import Grant
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage
from gaiarouter.store.base import ApiKey


class Books(Protocol):
    def begin(self, begun: Begun) -> None:
        """Raises Unavailable where no record could be kept."""
        ...


class Budgets(Protocol):
    async def reserve(self, record_id: str, key: ApiKey, amount: int, *, time_us: int) -> Grant | None:
        """Raises BudgetExceeded; Unavailable where what is left is not known. A Grant is to be settled at the end."""
        ...


_ASSUMED_OUTPUT: Final = 4096
"""Tokens, where the caller sets no bound."""


class Booking(Stage):
    """What is reserved is settled when the request's record reaches the store, however the request ended."""

    def __init__(self, books: Books, budgets: Budgets, pricing: Pricing) -> None:
        self._books = books
        self._budgets = budgets
        self._pricing = pricing

    async def request(self, exchange: Exchange) -> None:
        assert exchange.request is not None
        request, key = exchange.request, exchange.key
        tokens = exchange.estimated_input
        self._books.begin(
            Begun(
                id=exchange.id,
                request_id=exchange.request_id,
                time_us=exchange.received_us,
                key=key.id if key else None,
                organization=key.organization if key else None,
                route=exchange.match.route.name if exchange.match else None,
                model_asked=request.model[:128],
                streamed=request.stream,
                input_tokens=tokens,
            )
        )
        if key is not None and _has_budget(key) and exchange.match is not None:
            output = request.max_output_tokens or 0
            amount = self._pricing.most(
                [(target.provider, target.model) for group in exchange.match.groups for target in group.targets],
                input_tokens=tokens,
                output_tokens=output if output > 0 else _ASSUMED_OUTPUT,
            )
            exchange.grant = await self._budgets.reserve(exchange.id, key, amount, time_us=exchange.received_us)

    def finish(self, exchange: Exchange) -> None:
        if exchange.grant is not None:
            lost = sum(attempt.lost_nano or 0 for attempt in exchange.attempts)
            exchange.grant.settle((exchange.cost_nano or 0) + lost)


def _has_budget(key: ApiKey) -> bool:
    return key.budget is not None or (key.tenant is not None and key.tenant.budget is not None)
