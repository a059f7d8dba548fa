"""What stands around the real pipeline in a rehearsal: scripted providers, a caller, a key, and a clock of its own.

Nothing here opens a socket. Time passes when everybody waits, and only then.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer, Conversion, Pieces
from gaiarouter.errors import (
    BadAnswer,
    GatewayError,
    NotServed,
    ProtocolBroken,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unreachable,
    UpstreamError,
)
from gaiarouter.ledger.lines import Begun
from gaiarouter.pipeline.conversion import Convert
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint, UpstreamRequest
from gaiarouter.rehearsal.cases import Outcome
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.server.headers import error_headers, exchange_headers
from gaiarouter.store.base import ApiKey, UsageRecord
from gaiarouter.upstream.base import AttemptTimeouts, UpstreamResponse

KEY: Final = "sk-gaia-rehearsal"
_USED: Final = Usage(in_uncached=1, out_visible=1)
_CONTENT: Final = b"content"
_BEGINNING_S: Final = 1000.0
"""Not 0, which means `never` in places."""


class TimelessLoop(asyncio.SelectorEventLoop):
    """Whoever waits is woken at once, and `time` says that it was as late as they wanted."""

    def __init__(self) -> None:
        self._now = _BEGINNING_S
        super().__init__(_Hurried(self))

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


class _Hurried(selectors.DefaultSelector):
    """Does not sleep for timers. Without any it waits as ever: for threads, which wake the loop."""

    def __init__(self, loop: TimelessLoop) -> None:
        super().__init__()
        self._of = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if timeout is not None and timeout > 0 and not ready:
            self._of.pass_time(timeout)
        return ready


@dataclass(frozen=True, slots=True)
class Asked:
    """A target that was asked. at_s, took_s: seconds since the request came."""

    target: ResolvedTarget
    word: str
    at_s: float
    took_s: float


class Script:
    """What each provider or target does, one request after the other; the last outcome stays. passed_over: targets that
    cannot serve the request, so that nothing was sent."""

    def __init__(self, outcomes: Mapping[str, Sequence[Outcome]]) -> None:
        self._left = {name: list(each) for name, each in outcomes.items()}
        self.began_s = 0.0
        self.asked: list[Asked] = []
        self.passed_over: list[ResolvedTarget] = []
        self.now: tuple[ResolvedTarget, Outcome] | None = None

    def begin(self, now: float) -> None:
        self.began_s = now
        self.asked.clear()
        self.passed_over.clear()

    def next_for(self, target: ResolvedTarget) -> Outcome:
        left = self._left.get(target.id) or self._left.get(target.provider)
        if left is None:
            return Outcome()
        return left.pop(0) if len(left) > 1 else left[0]

    def around(self, convert: Convert) -> Convert:
        """Requests are written as they would be; answers are made up."""

        async def scripted(exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
            try:
                endpoint, conversion = await convert(exchange, target)
            except NotServed:
                self.passed_over.append(target)
                raise
            outcome = self.next_for(target)
            self.now = (target, outcome)
            return endpoint, ScriptedConversion(conversion, outcome)

        return scripted

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> UpstreamResponse:
        """As upstream.base.Upstream."""
        assert self.now is not None
        loop = asyncio.get_running_loop()
        began, (target, outcome) = loop.time(), self.now
        word = outcome.word
        try:
            return await _respond(outcome, timeouts)
        except TimedOut as error:
            word = "connect_timeout" if error.phase == "connect" else "timeout"  # whatever would have come later
            raise
        finally:
            self.asked.append(Asked(target, word, began - self.began_s, loop.time() - began))

    async def close(self) -> None:
        pass


async def _respond(outcome: Outcome, timeouts: AttemptTimeouts) -> ScriptedResponse:
    loop = asyncio.get_running_loop()
    patience = min(timeouts.first_byte_s, timeouts.deadline - loop.time())
    match outcome.word:
        case "connect_timeout":
            await asyncio.sleep(min(timeouts.connect_s, patience))
            raise TimedOut("The provider did not accept a connection in time.", phase="connect")
        case "timeout":
            await _run_out(timeouts, patience)
        case _ if outcome.after_s > patience:
            await _run_out(timeouts, patience)
    await asyncio.sleep(outcome.after_s)
    match outcome.word:
        case "refused":
            raise Unreachable("The provider could not be reached.")
        case "reset":
            raise ProtocolBroken("The provider closed the connection.", outcome="reset")
        case _:
            return ScriptedResponse(outcome)


async def _run_out(timeouts: AttemptTimeouts, patience: float) -> None:
    await asyncio.sleep(patience)
    phase: Any = "first_byte" if patience == timeouts.first_byte_s else "total"
    raise TimedOut("The provider did not answer in time.", phase=phase)


class ScriptedResponse:
    """As upstream.base.UpstreamResponse."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.status = int(outcome.word) if outcome.word.isdigit() else 200
        if outcome.word in ("context_length", "content_policy"):
            self.status = 400
        self.headers: Mapping[str, str] = {}
        if outcome.retry_after_s is not None:
            self.headers = {"retry-after-ms": str(round(outcome.retry_after_s * 1000))}

    async def read(self) -> bytes:
        return _CONTENT

    async def read_error(self) -> bytes:
        return b'{"error": {"message": "scripted", "type": "scripted", "param": null, "code": null}}'

    async def chunks(self) -> AsyncIterator[bytes]:
        yield _CONTENT

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        return True  # all there is came with the first read

    def extend(self, deadline: float) -> None:
        pass

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        pass


class ScriptedConversion:
    """The request as the real conversion writes it, errors as it reads them; answers say nothing but that they came."""

    def __init__(self, real: Conversion, outcome: Outcome) -> None:
        self._real = real
        self._outcome = outcome

    @property
    def body(self) -> bytes | Pieces:
        return self._real.body

    @property
    def headers(self) -> Mapping[str, str]:
        return self._real.headers

    @property
    def dropped(self) -> tuple[str, ...]:
        return self._real.dropped

    def watch(self) -> ScriptedWatcher:
        return ScriptedWatcher(self._outcome.word)

    def read_answer(self, body: bytes) -> Answer:
        if self._outcome.word == "malformed":
            raise BadAnswer("The provider's answer is no JSON.")
        if self._outcome.word == "interrupted":
            raise ProtocolBroken("The provider's answer broke off.", outcome="reset")
        return Answer(body, _USED, 1, "stop")

    def answer_of(self, stream: bytes) -> Answer:
        return self.read_answer(stream)

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        return body, self.read_answer(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        match self._outcome.word:
            case "context_length":
                return Rejected("scripted", status=400, code="context_length_exceeded", condition="context_length")
            case "content_policy":
                return Rejected("scripted", status=400, code="content_policy_violation", condition="content_policy")
            case _:
                return self._real.read_error(status, headers, body)


class ScriptedWatcher:
    """As dialects.base.StreamWatcher."""

    next_number = 0

    def __init__(self, word: str) -> None:
        self._word = word
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.text_tokens = 1

    def feed(self, data: bytes) -> bytes:
        if self._word == "malformed":
            self.error = BadAnswer("The provider's stream is garbled.")
            return b""
        self.content_started = True
        if self._word != "interrupted":
            self.finished, self.usage, self.finish_reason = True, _USED, "stop"
        return data

    def close(self) -> bytes:
        self.error = ProtocolBroken("The provider's stream broke off.", outcome="reset")
        return b""


class CallersEnd:
    """As pipeline.exchange.Reply: what the caller would see. status: 0 until then."""

    def __init__(self) -> None:
        self.started = False
        self.committed = False
        self.stalled = False
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.code: str | None = None
        self._exchange: Exchange | None = None
        self._hold: asyncio.TimerHandle | None = None

    def attach(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def hold(self, seconds: float) -> None:
        self._hold = asyncio.get_running_loop().call_later(seconds, self._start)

    async def answer(self, body: bytes) -> None:
        self._start()
        self.committed = True

    async def send(self, data: bytes) -> None:
        if not self.committed:
            self._start()
            self.committed = True

    def send_now(self, data: bytes) -> bool:
        return True

    async def room(self) -> None:
        pass

    def fail(self, error: GatewayError) -> None:
        self.code = error.code
        if self.started:
            return
        exchange = self._attached()
        self._start()
        self.status = exchange.dialect.status_of(error)
        self.headers = self._told() | _lower(error_headers(error, exchange.dialect))

    def close(self) -> None:
        if self._hold is not None:
            self._hold.cancel()

    def _start(self) -> None:
        self.close()
        if not self.started:
            self.started, self.status, self.headers = True, 200, self._told()

    def _told(self) -> dict[str, str]:
        return _lower(exchange_headers(self._attached(), asyncio.get_running_loop().time()))

    def _attached(self) -> Exchange:
        assert self._exchange is not None
        return self._exchange


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class OneKey:
    """As pipeline.auth.KeyRing."""

    def __init__(self, key: ApiKey) -> None:
        self._key = key

    def peek(self, text: str) -> ApiKey | None:
        return self._key if text == KEY else None

    async def find(self, text: str) -> ApiKey:
        raise Unauthenticated


class NoBudgets:
    """Implements pipeline.booking.Budgets: the caller of a rehearsal has none."""

    async def reserve(self, record_id: str, key: ApiKey, amount: int, *, time_us: int) -> None:
        return None


class NoLedger:
    """As assembly.parts.Records."""

    def begin(self, begun: Begun) -> None:
        pass

    def record(self, record: UsageRecord) -> None:
        pass
