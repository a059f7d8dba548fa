"""A gateway's routing without the gateway: tables, health, a clock and a seeded source."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gaiarouter.config.settings import Route
from gaiarouter.errors import Failed, GatewayError, UpstreamError
from gaiarouter.routing.attempts import Attempt, Plan
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.table import Table
from tests.routing.build import settings


class World:
    """A table with its health, a clock that stands still unless moved, and a seeded source."""

    def __init__(self, *routes: Route, keys: int = 1, off: Sequence[str] = ()) -> None:
        self.settings = settings(*routes, keys=keys, off=off)
        self.table, self.health, self.rng, self.now = Table(self.settings), Health(), Random(7), 1000.0

    def plan(self, model: str = "m") -> Plan:
        match = self.table.match(model)
        assert match is not None
        return Plan(match, self.settings.providers, self.health, self.rng, self.now)

    def play(self, *errors: UpstreamError | None, model: str = "m") -> tuple[list[str], GatewayError | None]:
        """One request whose attempts end so, the last way again and again. Returns who was tried and the verdict."""
        plan = self.plan(model)
        tried: list[str] = []
        while (attempt := plan.next(self.now)) is not None:
            error = errors[min(len(tried), len(errors) - 1)]
            tried.append(attempt.target.provider)
            self.now += attempt.wait_s
            if error is None:
                plan.succeeded(attempt, self.now, 0.1)
                return tried, None
            plan.failed(attempt, error, self.now)
        return tried, plan.verdict(self.now)


def must(attempt: Attempt | None) -> Attempt:
    assert attempt is not None
    return attempt


def uncounted() -> UpstreamError:
    """A fault that does not count against its target, so that the breaker stays out of the test."""
    error = Failed("x")
    error.counts_against_target = False
    return error
