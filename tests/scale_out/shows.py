"""What must hold over several gateways as over one, each shown and counted: by callers, by the provider, in the
database."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.store.records import Budget
from tests.scale_out.fleet import MOST_TOKENS, NANO_A_TOKEN, PATIENCE_S, UNLIMITED, Answer, Fleet

DAY_S = 86_400.0
REVOKED_WITHIN_S = 2.0


@dataclass(frozen=True)
class Size:
    """How many: requests at once, of which a limit and a budget let in so many; live streams; gateways restarted."""

    at_once: int = 200
    limit: int = 100
    budget: int = 50
    live: int = 200
    restarts: int = 3


@dataclass(frozen=True)
class Shown:
    what: str
    counted: str
    holds: bool
    seconds: float


Show = Callable[[Fleet, Size], Awaitable[tuple[str, bool]]]


async def limits(fleet: Fleet, size: Size) -> tuple[str, bool]:
    _, key = fleet.keys["limits"]
    before = [await fleet.metric(member, "limits_alone_total") for member in fleet.members]
    answers = await _at_once(fleet, "limits", key, size.at_once)
    statuses, reached = Counter(each.status for each in answers), fleet.provider.of("limits").total()
    alone = [await fleet.metric(member, "limits_alone_total") for member in fleet.members] != before
    holds = statuses == {200: size.limit, 429: size.at_once - size.limit} and reached == size.limit and not alone
    return f"{size.at_once} asked at once, limit {size.limit}: {_told(statuses)}; {reached} reached the provider", holds


async def budgets(fleet: Fleet, size: Size) -> tuple[str, bool]:
    nano = _dollars(size).amount_nano_usd
    scope, key = fleet.keys["budgets"]
    statuses = Counter(each.status for each in await _at_once(fleet, "budgets", key, size.at_once))
    reached = fleet.provider.of("budgets").total()
    await fleet.records(fleet.provider.of("budgets"))
    used = await _settled(fleet, scope)
    holds = statuses == {200: size.budget, 429: size.at_once - size.budget} and used == (nano, 0)
    counted = (
        f"{size.at_once} asked at once, budget for {size.budget}: {_told(statuses)}; {reached} reached the provider"
    )
    return f"{counted}; spent {used[0] / nano:.0%}, reserved {used[1]}", holds and reached == size.budget


async def revoked(fleet: Fleet, _: Size) -> tuple[str, bool]:
    scope, key = fleet.keys["revoked"]
    _, admin = fleet.keys["admin"]
    known = [await fleet.ask("revoked", key, of=member) for member in fleet.members]
    url, headers = f"http://127.0.0.1:{fleet.balancer.port}", {"authorization": f"Bearer {admin}"}
    async with fleet.session.delete(f"{url}/v1/api-keys/{scope}", headers=headers) as response:
        deleted = response.status < 300
    began = time.monotonic()

    async def until_refused(number: int) -> float:
        while (await fleet.ask("revoked", key, of=fleet.members[number])).status != 401:
            assert time.monotonic() - began < PATIENCE_S
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    took = await asyncio.gather(*(until_refused(number) for number in range(len(fleet.members))))
    holds = deleted and {each.status for each in known} == {200} and max(took) < REVOKED_WITHIN_S
    return f"refused by all {len(took)} after {max(took):.2f} s", holds


async def rolled(fleet: Fleet, size: Size) -> tuple[str, bool]:
    """Callers who begin a stream when theirs has ended, while one gateway after the other is restarted. Who is told to
    come again (503: a key that a new gateway could not look up within a second) does."""
    _, key = fleet.keys["streams"]
    over, ended, again, exits = asyncio.Event(), list[Answer](), list[Answer](), list[int]()

    async def caller() -> None:
        while not over.is_set():
            answer = await fleet.ask("rolled", key, stream=True)
            (again if answer.status == 503 else ended).append(answer)

    callers = [asyncio.create_task(caller()) for _ in range(size.live)]
    await fleet.until(lambda: fleet.provider.open >= size.live, f"{size.live} streams")
    for member in fleet.members[: size.restarts]:
        exits.append(await member.end(signal.SIGTERM))
        member.start()
        await fleet.until_ready(len(fleet.members))
        await fleet.warm()
    over.set()
    await asyncio.gather(*callers)
    whole = [each for each in ended if each.words == fleet.provider.chunks]
    of_provider = sum(each.name in fleet.provider.whole for each in ended)
    holds = len(ended) == len(whole) == of_provider == fleet.provider.of("rolled").total() and set(exits) == {0}
    counted = (
        f"{size.live} live streams, {len(exits)} restarts: {len(ended)} streams, {len(whole)} whole for their callers"
    )
    return (
        f"{counted}, {of_provider} by the provider; {len(again)} to come again; exit codes {_told(Counter(exits))}",
        holds,
    )


async def killed(fleet: Fleet, size: Size) -> tuple[str, bool]:
    """One is killed with all its streams, and started again on its own journal."""
    _, key = fleet.keys["streams"]
    asked = [asyncio.create_task(fleet.ask("killed", key, stream=True)) for _ in range(size.live)]
    await fleet.until(lambda: fleet.provider.of("killed").total() >= size.live, f"{size.live} streams")
    victim = fleet.members[0]
    await victim.end(signal.SIGKILL)
    meanwhile = await _at_once(fleet, "killed", key, len(fleet.members) * 4)
    victim.start()
    answers = [*(await asyncio.gather(*asked)), *meanwhile]
    await fleet.until_ready(len(fleet.members))
    await fleet.warm()
    reached = fleet.provider.of("killed")
    rows = await fleet.records(reached)
    outcomes = Counter(outcome for _, outcome in rows)
    whole = sum(each.status == 200 and (each.words is not None or each in meanwhile) for each in answers)
    broken = size.live - sum(each.words is not None for each in answers)
    holds = sorted(name for name, _ in rows) == sorted(reached.elements()) and 0 < broken == outcomes["interrupted"]
    after, served = _told(Counter(each.status for each in meanwhile)), {each.status for each in meanwhile} == {200}
    counted = f"{reached.total()} reached the provider: {len(rows)} records ({_told(outcomes)})"
    return (
        f"{counted}; {whole} answers whole, {broken} streams broken with their gateway, {after} after it",
        holds and served,
    )


async def without_valkey(fleet: Fleet, size: Size) -> tuple[str, bool]:
    _, key = fleet.keys["valkey"]
    fleet.valkey.stop()
    statuses = Counter(each.status for each in await _at_once(fleet, "valkey", key, size.at_once))
    fleet.valkey.start()
    await _shared_again(fleet, key)
    _, fresh = fleet.keys["valkey_back"]
    again = Counter(each.status for each in await _at_once(fleet, "valkey-back", fresh, size.at_once))
    holds = statuses == {200: size.at_once} and again == {200: size.limit, 429: size.at_once - size.limit}
    return f"away: {_told(statuses)}; back, limit {size.limit}: {_told(again)}", holds


async def without_postgres(fleet: Fleet, size: Size) -> tuple[str, bool]:
    _, key = fleet.keys["streams"]
    await asyncio.to_thread(fleet.postgres.stop)
    statuses = Counter(each.status for each in await _at_once(fleet, "postgres", key, size.at_once))
    await asyncio.to_thread(fleet.postgres.start)
    reached = fleet.provider.of("postgres")
    rows = await fleet.records(reached)
    holds = statuses == {200: size.at_once} and sorted(name for name, _ in rows) == sorted(reached.elements())
    return (
        f"away: {_told(statuses)}; {reached.total()} reached the provider, {len(rows)} records when it was back",
        holds,
    )


SHOWS: Sequence[tuple[str, Show]] = (
    ("limits are exact", limits),
    ("budgets are exact", budgets),
    ("a revoked key is refused everywhere", revoked),
    ("a rolling restart breaks no stream", rolled),
    ("kill -9 loses no record", killed),
    ("Valkey away is no outage", without_valkey),
    ("PostgreSQL away loses no record", without_postgres),
)


async def make_keys(fleet: Fleet, size: Size) -> None:
    few, many = {"limits": _requests(size.limit)}, {"limits": _requests(size.at_once * 10)}
    await fleet.make_keys(
        limits=few,
        budgets={"budget": _dollars(size)},
        revoked={},
        admin={"permissions": ["admin"]},
        streams={},
        valkey=many,
        valkey_back=few,
    )


async def show(fleet: Fleet, size: Size, what: str, shown: Show) -> Shown:
    began = time.monotonic()
    counted, holds = await shown(fleet, size)
    return Shown(what, counted, holds, time.monotonic() - began)


async def _at_once(fleet: Fleet, name: str, key: str, count: int) -> list[Answer]:
    return await asyncio.gather(*(fleet.ask(name, key) for _ in range(count)))


async def _shared_again(fleet: Fleet, key: str) -> None:
    """Returns when all count in the same place: what is left goes down by one, whoever is asked."""
    until = time.monotonic() + PATIENCE_S
    left = list[int]()
    while not left or left != list(range(left[0], left[0] - len(left), -1)):
        assert time.monotonic() < until, left
        await asyncio.sleep(0.1)
        left = [(await fleet.ask("valkey", key, of=member)).left or 0 for member in fleet.members]


async def _settled(fleet: Fleet, scope: str) -> tuple[int, int]:
    """Spent and reserved, once nothing is reserved any more."""
    until = time.monotonic() + PATIENCE_S
    while (used := await fleet.store.budget_in_use(scope, 0))[1] and time.monotonic() < until:  # noqa: ASYNC110  # in other processes
        await asyncio.sleep(0.05)
    return used


def _dollars(size: Size) -> Budget:
    return Budget(size.budget * MOST_TOKENS * NANO_A_TOKEN, "total")


def _requests(count: int) -> Limits:
    return Limits(requests=Rate(count, DAY_S), tokens=UNLIMITED.tokens, concurrent=UNLIMITED.concurrent)


def _told(counts: Counter[int] | Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items(), key=str))
