"""Redis, or Valkey, as the place that processes share their limits through: scripts, each one step of the server's.

Calls that come while others are under way go out together, on one connection: under load a round trip carries many.
Nothing is kept there for longer than it counts; that it is lost costs nobody anything but a fresh window.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gaiarouter.config.secret import Secret
from gaiarouter.store.base import StorageUnavailable

_TIMEOUT_S: Final = 0.1
"""Requests wait for it: who is slower counts as away. `socket_timeout` and `socket_connect_timeout` in the address say
otherwise."""


@dataclass(frozen=True, slots=True)
class _Call:
    script: str
    keys: Sequence[str]
    values: Sequence[str | int | float]
    outcome: asyncio.Future[Any]


class RedisScripts:
    """Connects when it is first used, and again after a failure."""

    def __init__(self, url: Secret) -> None:
        self._redis: Redis = Redis.from_url(
            url.reveal(),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            max_connections=1,
        )
        self._digests: dict[str, str] = {}
        self._waiting: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None

    async def run(self, script: str, keys: Sequence[str], values: Sequence[str | int | float]) -> Any:
        """What the script returns. Raises StorageUnavailable where the server does not answer in time."""
        call = _Call(script, keys, values, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="redis")
        return await call.outcome

    async def close(self) -> None:
        if self._sending is not None:
            await asyncio.wait([self._sending])
        await self._redis.aclose()

    async def _send(self) -> None:
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                answers = await self._sent(calls)
            except (RedisError, OSError) as error:
                answers = [error] * len(calls)
            for call, answer in zip(calls, answers, strict=True):
                _tell(call.outcome, answer)

    async def _sent(self, calls: Sequence[_Call]) -> list[Any]:
        answers = await self._round_trip(calls)
        unknown = [call for call, answer in zip(calls, answers, strict=True) if isinstance(answer, NoScriptError)]
        if not unknown:
            return answers
        for script in {call.script for call in unknown}:
            await self._redis.script_load(script)
        again = iter(await self._round_trip(unknown))
        return [next(again) if isinstance(answer, NoScriptError) else answer for answer in answers]

    async def _round_trip(self, calls: Sequence[_Call]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            _queued = pipeline.evalsha(self._digest(call.script), len(call.keys), *call.keys, *map(str, call.values))
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    def _digest(self, script: str) -> str:
        found = self._digests.get(script)
        if found is None:
            # the name that the protocol gives a script
            found = self._digests[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        return found


def _tell(outcome: asyncio.Future[Any], answer: Any) -> None:
    if outcome.done():
        return  # who asked has been cancelled
    if isinstance(answer, Exception):
        outcome.set_exception(StorageUnavailable(f"Redis: {type(answer).__name__}"))
    else:
        outcome.set_result(answer)
