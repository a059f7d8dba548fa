from __future__ import annotations

import pytest

from gaiarouter.routing.retry_budget import RetryBudget


def _taken(budget: RetryBudget, provider: str) -> int:
    return sum(budget.take(provider) for _ in range(1000))


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (0.01, 1), (0.2, 10), (1.0, 50)])
def test_a_fresh_budget_holds_what_fifty_requests_pay_in_and_at_least_one(share: float, kept: int) -> None:
    budget = RetryBudget()
    budget.pay_in("p", share)
    assert _taken(budget, "p") == kept


@pytest.mark.parametrize(("share", "requests", "retries"), [(0.5, 1, 0), (0.5, 3, 1), (1.0, 7, 7), (0.5, 1000, 25)])
def test_a_spent_budget_fills_by_its_share_of_each_request_up_to_what_it_holds(
    share: float, requests: int, retries: int
) -> None:
    budget = RetryBudget()
    budget.pay_in("p", share)
    _taken(budget, "p")
    for _ in range(requests):
        budget.pay_in("p", share)
    assert _taken(budget, "p") == retries


def test_one_providers_retries_are_not_anothers() -> None:
    budget = RetryBudget()
    for provider in ("p", "q"):
        budget.pay_in(provider, 0.2)
    _taken(budget, "p")
    assert _taken(budget, "q") == 10
    budget.forget("p")
    budget.pay_in("p", 0.2)
    assert _taken(budget, "p") == 10
