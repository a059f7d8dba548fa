"""How much of a provider's traffic may be retries, so that an outage is not multiplied by those who suffer from it.

A token bucket for each provider: every request that reaches the provider pays in `share` of a retry, every retry takes
one out. It holds at most what 50 requests pay in, and begins full: a lone failure may always be retried.
"""

from __future__ import annotations

from typing import Final

_REQUESTS_HELD: Final = 50


class RetryBudget:
    """A retry is the same target again, with the same provider key or another. A fallback is none."""

    def __init__(self) -> None:
        self._balances: dict[str, float] = {}

    def pay_in(self, provider: str, share: float) -> None:
        """A request reaches the provider for the first time."""
        most = share * _REQUESTS_HELD
        if most < 1.0 and share:
            most = 1.0
        balance = self._balances.get(provider, most) + share
        self._balances[provider] = min(balance, most)

    def take(self, provider: str) -> bool:
        """Takes one retry out; False if there is none."""
        balance = self._balances.get(provider, 0.0)
        if balance < 1:
            return False
        self._balances[provider] = balance - 1
        return True

    def forget(self, provider: str) -> None:
        self._balances.pop(provider, None)
