"""Two gateways, each a process of the operating system's: what they may together, and what a killed one leaves."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits, Rate
from gaiarouter.store import open_store
from gaiarouter.store.base import Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from gaiarouter.store.records import Budget
from tests.gateway.faults import completion
from tests.gateway.running import ANSWER, PROVIDER_KEY, chat_body
from tests.limits.valkey_server import ValkeyServer
from tests.server.process import EXIT_S, Served, served
from tests.store.postgres_server import PostgresServer
from tests.support.script import Script, Until, json_answer
from tests.support.servers import running
from tests.support.upstream import Received, ScriptedUpstream

UNLIMITED = Limits(requests=None, tokens=None, concurrent=None)
PATIENT = "socket_timeout=30&socket_connect_timeout=30"
SETTLED_S = 60.0
PRICES = [{"match": "*", "input": 0, "output": 15}]
"""Input is free, so that what is reserved is known: `max_tokens` times 15,000 nano-dollars."""
MOST_TOKENS = 100
RESERVED_NANO = MOST_TOKENS * 15_000


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with running(ValkeyServer()) as server:
        yield server


@pytest.fixture
def emptied(postgres: PostgresServer) -> str:
    postgres.clear()
    return postgres.url


@asynccontextmanager
async def two(folder: Path, bases: Mapping[str, str], **changes: Any) -> AsyncIterator[tuple[Served, Served]]:
    """They share what `changes` say, and no folder."""
    folders = [folder / "one", folder / "two"]
    for each in folders:
        each.mkdir()
    alone = [{"ledger": {"path": str(each)}, **changes} for each in folders]
    async with served(folders[0], bases, **alone[0]) as one, served(folders[1], bases, **alone[1]) as other:
        assert one.process.pid != other.process.pid
        yield one, other


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = open_store(Secret(url))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def bill(upstream: ScriptedUpstream) -> dict[str, Any]:
    """A provider with prices, and time enough to answer when the test says so."""
    main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY, "prices": PRICES}
    timeouts = {"connect": "60s", "first_byte": "60s", "idle": "60s", "total": "60s"}
    return {"providers": {"demo": {"dialect": "echo"}, "main": main}, "defaults": {"timeouts": timeouts}}


def answer_of(tokens: int) -> Script:
    usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}
    return json_answer(completion(ANSWER, usage=usage))


async def ask(process: Served, key: str, model: str = "alone") -> int:
    body = chat_body(model, max_tokens=MOST_TOKENS)
    headers = {"authorization": f"Bearer {key}"}
    async with process.session.post(process.url("/v1/chat/completions"), headers=headers, json=body) as response:
        await response.read()
        return response.status


async def alone_total(process: Served) -> float:
    async with process.session.get(process.url("/metrics")) as response:
        found = re.search(r"^gaiarouter_limits_alone_total (\S+)$", await response.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize(
    "limits",
    [
        Limits(requests=Rate(100, 86_400.0), tokens=None, concurrent=None),
        Limits(requests=Rate(100, 86_400.0), tokens=Rate(10_000_000, 86_400.0), concurrent=1_000),
    ],
    ids=["requests", "all three"],
)
async def test_exactly_a_hundred_of_two_hundred_pass_a_limit_of_a_hundred(
    tmp_path: Path, valkey: ValkeyServer, limits: Limits
) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    async with opened(url) as store:
        key = await create_key(store, name="Ada", now_us=now_us(), limits=limits)
        async with two(tmp_path, {}, store=url, redis=f"{valkey.url}?{PATIENT}") as processes:
            asked = (ask(processes[number % 2], key.text, "demo") for number in range(200))
            statuses = await asyncio.gather(*asked)
            assert [await alone_total(process) for process in processes] == [0, 0]
    assert Counter(statuses) == {200: 100, 429: 100}


@pytest.mark.parametrize("tokens", [MOST_TOKENS, 40], ids=["spent to the end", "less than reserved"])
async def test_a_budget_for_fifty_admits_exactly_fifty_of_two_hundred(
    tmp_path: Path, emptied: str, tokens: int
) -> None:
    """The provider answers once all others have been refused: nothing that is given back lets one in later."""
    answer = asyncio.Event()
    budget = 50 * RESERVED_NANO
    async with ScriptedUpstream((Until(answer), *answer_of(tokens))) as upstream, opened(emptied) as store:
        key = await create_key(store, name="Ada", now_us=now_us(), limits=UNLIMITED, budget=Budget(budget, "total"))
        async with two(tmp_path, {"main": upstream.url("/v1")}, store=emptied, **bill(upstream)) as processes:
            asked = [asyncio.create_task(ask(processes[number % 2], key.text)) for number in range(200)]
            refused = [await each for each in itertools.islice(asyncio.as_completed(asked), 150)]
            assert Counter(refused) == {429: 150}
            await upstream.until(lambda: len(upstream.requests) == 50)
            assert await store.budget_in_use(key.id, 0) == (0, budget)
            answer.set()
            assert Counter(await asyncio.gather(*asked)) == {200: 50, 429: 150}
            await until_in_use(store, key.id, (50 * tokens * 15_000, 0))
    assert len(upstream.requests) == 50


async def until_in_use(store: Store, scope: str, wanted: tuple[int, int]) -> None:
    """Returns when so much is spent and reserved."""
    found = None
    try:
        async with asyncio.timeout(SETTLED_S):
            while (found := await store.budget_in_use(scope, 0)) != wanted:  # noqa: ASYNC110  # in other processes
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"{found} is in use, not {wanted}")


async def test_what_a_killed_process_had_reserved_comes_back_with_its_journal(tmp_path: Path) -> None:
    never = asyncio.Event()

    def script(request: Received) -> Script:
        return (Until(never),) if len(upstream.requests) > 3 else answer_of(40)

    url = f"sqlite:///{tmp_path}/gaia.db"
    async with ScriptedUpstream(script) as upstream, opened(url) as store:
        budget = Budget(10 * RESERVED_NANO, "total")
        key = await create_key(store, name="Ada", now_us=now_us(), limits=UNLIMITED, budget=budget)
        bases, changes = {"main": upstream.url("/v1")}, bill(upstream)
        async with served(tmp_path, bases, **changes) as first:
            assert [await ask(first, key.text) for _ in range(3)] == [200, 200, 200]
            asked = [asyncio.create_task(ask(first, key.text)) for _ in range(5)]
            await upstream.until(lambda: len(upstream.requests) == 8)
            spent = 3 * 40 * 15_000
            await until_in_use(store, key.id, (spent, 5 * RESERVED_NANO))
            first.signal(signal.SIGKILL)
            await first.exit(within_s=EXIT_S)
            assert all(
                isinstance(each, aiohttp.ClientError) for each in await asyncio.gather(*asked, return_exceptions=True)
            )
        assert await store.budget_in_use(key.id, 0) == (spent, 5 * RESERVED_NANO)
        async with served(tmp_path, bases, **changes):
            await until_in_use(store, key.id, (spent, 0))
        rows = await store.count_usage()
    assert rows == 8
