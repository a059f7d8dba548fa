"""The pipeline without a socket: a reply that keeps what it was given, and a target that answers by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from random import Random

from gaiarouter.config.settings import Breaker, Group, Limits, Provider, Rate, Retry, Route, Target, Timeouts
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import CallerGone
from gaiarouter.ledger.tokenizer import Tokenizer
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline import Proxy
from gaiarouter.pipeline.aside import Here
from gaiarouter.pipeline.conversion import Convert, Converter
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint, UpstreamRequest
from gaiarouter.routing.attempts import Plan
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health
from gaiarouter.upstream.base import AttemptTimeouts, Loaded

BODY = b'{"model":"m","messages":[{"role":"user","content":"hello there"}]}'
STREAM_BODY = BODY[:-1] + b',"stream":true}'
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class KeptReply:
    """Implements Reply: for a caller that reads slowly, so that every second write wants room for the next.

    gone_after: the number of writes after which the caller has hung up.
    """

    started: bool = False
    committed: bool = False
    stalled: bool = False
    body: bytes | None = None
    sent: list[bytes] = field(default_factory=list)
    held_s: float | None = None
    gone_after: int | None = None

    def hold(self, seconds: float) -> None:
        self.held_s = seconds

    async def answer(self, body: bytes) -> None:
        self.committed = True
        self.body = body

    async def send(self, data: bytes) -> None:
        self.started = self.committed = True
        if self.gone_after is not None and len(self.sent) >= self.gone_after:
            raise CallerGone("The caller hung up.")
        self.sent.append(data)

    def send_now(self, data: bytes) -> bool:
        if self.gone_after is not None and len(self.sent) >= self.gone_after:
            raise CallerGone("The caller hung up.")
        self.sent.append(data)
        return len(self.sent) % 2 == 0

    async def room(self) -> None:
        await asyncio.sleep(0)


Step = bytes | Exception | float
"""A read's bytes, a failure, or seconds that pass on the clock."""


class ScriptedResponse:
    """Implements UpstreamResponse. After the last step the body is at its end."""

    def __init__(self, clock: Clock, status: int, headers: Mapping[str, str], steps: Sequence[Step]) -> None:
        self.status = status
        self.headers = headers
        self._clock = clock
        self._rest = self._played(steps)
        self.deadline: float | None = None
        self.reads = 0
        self.drained = False
        self.closed = 0

    async def read(self) -> bytes:
        return b"".join([part async for part in self.chunks()])

    async def read_error(self) -> bytes:
        return await self.read()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._rest

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        async for data in self._rest:
            if not take(data):
                return False
        return True

    async def _played(self, steps: Sequence[Step]) -> AsyncIterator[bytes]:
        for step in steps:
            await asyncio.sleep(0)
            match step:
                case bytes():
                    self.reads += 1
                    yield step
                case float():
                    self._clock.now += step
                case Exception():
                    raise step

    def extend(self, deadline: float) -> None:
        self.deadline = deadline

    async def drain(self) -> None:
        self.drained = True

    def close(self) -> None:
        self.closed += 1


class ScriptedTarget:
    """Implements Upstream: the n-th request gets the n-th answer. Keeps what it was asked."""

    def __init__(self, *answers: ScriptedResponse | Exception) -> None:
        self._answers = iter(answers)
        self.asked: list[tuple[UpstreamRequest, AttemptTimeouts]] = []

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> ScriptedResponse:
        self.asked.append((request, timeouts))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None: ...


TIMEOUTS = Timeouts(connect_s=1.0, first_byte_s=10.0, idle_s=5.0, total_s=60.0)


class NoMedia:
    """Implements upstream.base.MediaSource where none may be asked for."""

    async def load(self, urls: Iterable[str], loaded: MutableMapping[str, Loaded], *, deadline: float) -> float:
        raise AssertionError("nothing was to be loaded")


def match_of(*providers: str) -> Match:
    """A route with a target at each provider, all but the first as fallbacks."""
    groups = tuple(ResolvedGroup((ResolvedTarget(name, f"{name}-model", "r"),)) for name in providers)
    route = Route(
        "r",
        ("m",),
        Group((Target(providers[0]),)),
        timeouts=TIMEOUTS,
        retry=Retry(backoff_s=0.0, max_backoff_s=0.0),
        breaker=Breaker(),
        hold_s=7.0,
    )
    return Match(route, "m", "m", (), groups)


def proxy(clock: Clock, target: ScriptedTarget, exchange: Exchange, *, convert: Convert | None = None) -> Proxy:
    """One whose providers, those of the exchange's route, are all `target`."""
    match = exchange.match
    assert match is not None
    names = [target.provider for group in match.groups for target in group.targets]
    health = Health()

    def plan(_: Exchange) -> Plan:
        providers = {name: Provider(name, "openai") for name in names}
        return Plan(match, providers, health, Random(1), exchange.received_s)

    endpoints = {
        name: {"chat": Endpoint(name, "http", f"http://{name}/v1", "none", {}, asks_usage=True)} for name in names
    }
    own = Converter(
        endpoints,
        both={"chat": ChatDialect()},
        callers={},
        targets={name: {} for name in names},
        media=NoMedia(),
        aside=Here(),
    ).convert
    return Proxy(
        convert=own if convert is None else convert,
        estimate=lambda _: None,
        upstreams={"http": target, "echo": target},
        plan=plan,
        charge=lambda provider, model, usage: usage.total_tokens,
        tokenizer=Tokenizer(),
        clock=clock,
    )


def exchange(
    clock: Clock,
    body: bytes = BODY,
    *,
    reply: KeptReply | None = None,
    receive: Callable[[], object] | None = None,
    credentials: tuple[str, ...] = (),
) -> Exchange:
    """One that has not been through any stage."""

    async def whole() -> bytes:
        if receive is not None:
            receive()
        return body

    return Exchange(
        id="rec_1",
        request_id="req_1",
        dialect=ChatDialect(),
        credentials=credentials,
        receive=whole,
        reply=reply or KeptReply(),
        received_s=clock.now,
        received_us=1_700_000_000_000_000,
    )


def routed(clock: Clock, body: bytes, match: Match, reply: KeptReply | None = None) -> Exchange:
    """One that is about to enter Proxy."""
    made = exchange(clock, body, reply=reply)
    made.request = made.dialect.read_request(body)
    made.match = match
    return made


def limiter(clock: Clock) -> MemoryLimiter:
    return MemoryLimiter(clock)


LIMITS = Limits(requests=Rate(5, 60.0), tokens=Rate(1000, 60.0), concurrent=1)
