"""Tries targets, in the order that routing gives, until one speaks.

All attempts of a request share one budget and one deadline (routing/attempts.py). After the first content has gone to
the caller nothing is tried again: a failure then ends the stream with the dialect's own error event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer, Conversion
from gaiarouter.errors import (
    Interrupted,
    InvalidRequest,
    NotFound,
    ProtocolBroken,
    Rejected,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from gaiarouter.ledger.tokenizer import Tokenizer
from gaiarouter.pipeline.conversion import Convert
from gaiarouter.pipeline.exchange import AttemptRecord, Exchange
from gaiarouter.pipeline.relay import Charge, Relay
from gaiarouter.pipeline.runner import Stage
from gaiarouter.providers.base import Endpoint, Transport, UpstreamRequest
from gaiarouter.providers.request import request_for
from gaiarouter.routing.attempts import Attempt, Plan
from gaiarouter.upstream.base import AttemptTimeouts, Upstream

_log = structlog.get_logger("gaiarouter.pipeline")


class Proxy(Stage):
    """convert: how a target is spoken to. estimate: what is answered where the first target does not, if the gateway
    knows about what it would say. plan: makes the attempts of one request."""

    def __init__(
        self,
        *,
        convert: Convert,
        estimate: Callable[[Exchange], Answer | None],
        upstreams: Mapping[Transport, Upstream],
        plan: Callable[[Exchange], Plan],
        charge: Charge,
        tokenizer: Tokenizer,
        clock: Callable[[], float],
    ) -> None:
        self._convert = convert
        self._estimate = estimate
        self._upstreams = upstreams
        self._plan = plan
        self._charge = charge
        self._tokenizer = tokenizer
        self._clock = clock

    async def request(self, exchange: Exchange) -> None:
        assert exchange.request is not None
        assert exchange.match is not None
        if exchange.request.stream:
            exchange.reply.hold(exchange.match.route.hold_s)
        plan = self._plan(exchange)
        while (attempt := plan.next(self._clock())) is not None:
            error = await self._attempt(exchange, plan, attempt)
            if error is None:
                return
            if exchange.reply.committed:
                raise _in_stream(error)
            if self._estimate(exchange) is not None:
                break  # about the first target: another's answer would be of another kind
        verdict, estimated = plan.verdict(self._clock()), self._estimate(exchange)
        if estimated is None or isinstance(verdict, Rejected):
            raise verdict
        exchange.served, exchange.usage, exchange.estimated = None, estimated.usage, True
        await exchange.reply.answer(estimated.body)
        exchange.complete = True

    async def _attempt(self, exchange: Exchange, plan: Plan, attempt: Attempt) -> UpstreamError | None:
        """One try, settled with the plan and recorded whatever comes of it. None if the target answered."""
        outcome: str | None = "cancelled"
        billed_unknown, exchange.heard = False, None
        try:
            if attempt.wait_s > 0:
                await asyncio.sleep(attempt.wait_s)
                exchange.upstream_s += attempt.wait_s
            exchange.attempt_started_s = self._clock()
            endpoint, conversion = await self._convert(exchange, attempt.target)
            billed_unknown = True
            await self._ask(exchange, plan, attempt, endpoint, conversion)
        except UpstreamError as raised:
            error = self._of_the_attempt(raised, exchange, plan)
            outcome, billed_unknown = error.outcome if error.sent else None, error.billed_unknown
            plan.failed(attempt, error, self._clock())
            _tell(error, exchange, attempt)
            return error
        except (InvalidRequest, NotFound):
            # the target's dialect cannot say what the caller asks for: it was never sent anything
            outcome = None
            plan.cancelled(attempt)
            raise
        except BaseException:
            plan.cancelled(attempt)
            raise
        else:
            outcome, billed_unknown = "ok", False
            plan.succeeded(attempt, self._clock(), exchange.spoke_s - exchange.attempt_started_s)
            return None
        finally:
            if exchange.trace is not None:
                exchange.trace.answered(exchange, outcome)
            if outcome is not None:
                exchange.attempts.append(self._record(exchange, attempt, outcome, billed_unknown=billed_unknown))

    def _record(self, exchange: Exchange, attempt: Attempt, outcome: str, *, billed_unknown: bool) -> AttemptRecord:
        now, target = self._clock(), attempt.target
        lost = _lost(exchange) if billed_unknown else None
        if not exchange.spoke_s:
            exchange.upstream_s += now - exchange.attempt_started_s
        return AttemptRecord(
            provider=target.provider,
            model=target.model,
            outcome=outcome,
            duration_s=now - exchange.attempt_started_s,
            lost=lost,
            lost_nano=None if lost is None else self._charge(target.provider, target.model, lost),
        )

    def _of_the_attempt(self, error: UpstreamError, exchange: Exchange, plan: Plan) -> UpstreamError:
        """Where the attempt's share of the time is used up and not the request's another target may still answer."""
        if not isinstance(error, TimedOut) or error.phase != "total":
            return error
        if exchange.reply.committed or self._clock() >= plan.deadline:
            return error
        return TimedOut("The provider did not answer in time.", phase="first_byte")

    async def _ask(
        self, exchange: Exchange, plan: Plan, attempt: Attempt, endpoint: Endpoint, conversion: Conversion
    ) -> None:
        request, match = exchange.request, exchange.match
        assert request is not None
        assert match is not None
        limits = match.route.timeouts
        started = exchange.attempt_started_s
        exchange.served, exchange.dropped = attempt.target, conversion.dropped
        speak_by = min(attempt.deadline, started + limits.first_byte_s)
        deadline = speak_by if request.stream else attempt.deadline
        response = await self._upstreams[endpoint.transport].send(
            _outgoing(exchange, attempt, endpoint, conversion),
            AttemptTimeouts(limits.connect_s, speak_by - started, limits.idle_s, deadline),
        )
        relay = Relay(
            exchange,
            conversion,
            response,
            self._clock,
            first_content_by=speak_by,
            deadline=plan.deadline,
            charge=self._charge,
            tokenizer=self._tokenizer,
            spoke=partial(plan.spoke, attempt),
        )
        try:
            if response.status >= 400:
                raise conversion.read_error(response.status, response.headers, await response.read_error())
            await relay.run()
        finally:
            response.close()


def _tell(error: UpstreamError, exchange: Exchange, attempt: Attempt) -> None:
    about = {"request_id": exchange.request_id, "target": attempt.target.id}
    _log.debug("attempt.failed", **about, outcome=error.outcome, provider_status=error.provider_status)
    if error.edits_history:
        _log.error("thinking.bound_elsewhere", **about)


def _outgoing(exchange: Exchange, attempt: Attempt, endpoint: Endpoint, conversion: Conversion) -> UpstreamRequest:
    assert exchange.request is not None
    request = request_for(
        endpoint,
        key=attempt.key,
        model=attempt.target.model,
        body=conversion.body,
        headers=conversion.headers,
        stream=exchange.request.stream,
        request_id=exchange.request_id,
    )
    return request if exchange.trace is None else exchange.trace.asks(exchange, endpoint, request)


def _in_stream(error: UpstreamError) -> UpstreamError:
    """The error as a caller who has begun to read is told of it: what counts is that the answer broke off."""
    if isinstance(error, ProtocolBroken | Unreachable):
        return Interrupted("The provider's stream broke off before its end.", outcome=error.outcome)
    if isinstance(error, TimedOut) and error.phase != "total":
        error.code = "stream_timeout"
    return error


def _lost(exchange: Exchange) -> Usage | None:
    """What the provider may bill of a try that failed; None where it is in the request's own usage. What it has not
    told is taken to be what was sent."""
    if exchange.usage is not None:
        return None
    return exchange.heard or Usage(in_uncached=exchange.estimated_input, estimated=True)
