"""The last step before anything is spent: the request is written down as running, so that none goes without a trace."""

from __future__ import annotations

from typing import Protocol

from gaiarouter.ledger.lines import Begun
from gaiarouter.pipeline.exchange import Exchange


class Books(Protocol):
    def begin(self, begun: Begun) -> None:
        """Raises Unavailable where no record could be kept."""
        ...


class Booking:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def request(self, exchange: Exchange) -> None:
        assert exchange.request is not None
        self._books.begin(
            Begun(
                id=exchange.id,
                request_id=exchange.request_id,
                time_us=exchange.received_us,
                key=exchange.key.id if exchange.key else None,
                organization=exchange.key.organization if exchange.key else None,
                route=exchange.match.route.name if exchange.match else None,
                model_asked=exchange.request.model[:128],
                streamed=exchange.request.stream,
                input_tokens=exchange.request.estimated_input_tokens(),
            )
        )

    def finish(self, exchange: Exchange) -> None:
        pass
