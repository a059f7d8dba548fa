"""Plays one case on the pipeline that serves real requests, and tells what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import orjson

from gaiarouter.assembly.formats import Formats
from gaiarouter.assembly.parts import Parts
from gaiarouter.assembly.service import build_service
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Provider, ProviderKey, Settings
from gaiarouter.dialects.base import Envelope
from gaiarouter.errors import GatewayError
from gaiarouter.limits.guesses import Guesses
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline.admission import Gate
from gaiarouter.pipeline.aside import Here
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.explaining import NothingLoaded, Question
from gaiarouter.pipeline.runner import run
from gaiarouter.providers.catalogue import Catalogue
from gaiarouter.rehearsal.cases import Case, Expectation
from gaiarouter.rehearsal.stage import (
    KEY,
    Asked,
    CallersEnd,
    NoBudgets,
    NoLedger,
    OneKey,
    Script,
    TimelessLoop,
)
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.explain import Explanation
from gaiarouter.server.handler import Service
from gaiarouter.store.base import ApiKey
from gaiarouter.telemetry import Metrics

_BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "messages": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64},
    "responses": {"input": "Hello"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    "embeddings": {"input": "Hello"},
}


_NOBODY: Final = Case("", "", Expectation(frozenset()))


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of the last request. served: `provider/model`. shares: of all requests, by who answered; nobody is
    `none`. took_s: on the rehearsal's clock."""

    status: int
    route: str | None
    error: str | None
    served: str | None
    headers: Mapping[str, str]
    dropped: tuple[str, ...]
    asked: tuple[Asked, ...]
    passed_over: tuple[str, ...]
    took_s: float
    shares: Mapping[str, float] = field(default_factory=dict)


def play(case: Case, settings: Settings) -> Happened:
    """settings: of the table. A bug of the gateway's own is raised as it is."""
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        return runner.run(_play(case, _as_if_with_keys(settings, case.off)))


def explain_offline(settings: Settings, body: bytes, dialect: str, model: str | None) -> Explanation:
    """Where a whole request would go by this table if everybody were well. model: the name to go by instead of the
    body's own. Raises InvalidRequest."""
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        return runner.run(_explain_offline(settings, Question(model, body, dialect)))


async def _explain_offline(settings: Settings, question: Question) -> Explanation:
    service = build_service(settings, _parts(_NOBODY, Script({})), Formats())
    return await service.explain(question)


def _as_if_with_keys(settings: Settings, off: frozenset[str]) -> Settings:
    """A test must not depend on which keys the machine that runs it has."""

    def provider(each: Provider) -> Provider:
        if each.name in off:
            return replace(each, off="off in this test")
        if each.off is None:
            return each
        return replace(each, off=None, keys=(ProviderKey(Secret("rehearsal"), 0),))

    return replace(settings, providers={name: provider(each) for name, each in settings.providers.items()})


async def _play(case: Case, settings: Settings) -> Happened:
    script, formats = Script(case.outcomes), Formats()
    parts = _parts(case, script)
    service = build_service(settings, parts, formats, around=script.around)
    answered: Counter[str] = Counter()
    happened = None
    for number in range(case.repeat):
        if number:
            await asyncio.sleep(case.pause_s)
        happened = await _request(case, service, script, formats, parts.gate)
        answered[happened.served or "none"] += 1
    assert happened is not None
    return replace(happened, shares={name: count / case.repeat for name, count in answered.items()})


def _parts(case: Case, script: Script) -> Parts:
    clock = asyncio.get_running_loop().time
    key = ApiKey(
        id="key_test",
        name=case.key_name,
        secret_hash=b"",
        created_us=0,
        models=case.key_models,
        unsupported=case.key_unsupported,
    )
    return Parts(
        gate=Gate(slots=1, waiting=0, wait_s=0.0, on_shed=lambda _: None),
        keys=OneKey(key),
        limiter=MemoryLimiter(clock),
        shared=None,
        guesses=Guesses(clock),
        ledger=NoLedger(),
        budgets=NoBudgets(),
        health=Health(),
        metrics=Metrics(),
        catalogue=Catalogue.load(),
        upstreams={"http": script, "echo": script},
        media=NothingLoaded(),
        aside=Here(),
        rng=Random(case.seed),  # noqa: S311  # the same draws at every run are what is wanted
        permit=lambda _: None,
        adopt=lambda _, __: None,
        clock=clock,
    )


async def _request(case: Case, service: Service, script: Script, formats: Formats, gate: Gate) -> Happened:
    clock = asyncio.get_running_loop().time
    reply, began = CallersEnd(), clock()
    exchange = Exchange(
        id="rehearsal",
        request_id="rehearsal",
        dialect=formats.dialects[case.dialect],
        credentials=(KEY,),
        receive=lambda: _body(case),
        reply=reply,
        received_s=began,
        received_us=0,
        envelope=_envelope(case),
    )
    reply.attach(exchange)
    script.begin(began)
    try:
        await run(service.stages, exchange)
    except GatewayError as error:
        reply.fail(error)
    finally:
        reply.close()
        if exchange.admitted:
            gate.leave()
    answered = exchange.complete or reply.committed
    return Happened(
        status=reply.status,
        route=exchange.match.route.name if exchange.match else None,
        error=reply.code,
        served=exchange.served.id if exchange.served and answered else None,
        headers=reply.headers,
        dropped=exchange.dropped if answered else (),
        asked=tuple(script.asked),
        passed_over=tuple(target.id for target in script.passed_over),
        took_s=clock() - began,
    )


def _envelope(case: Case) -> Envelope:
    headers = {name.lower(): value for name, value in case.headers.items()}
    if case.dialect == "gemini":
        return Envelope(model=case.model, stream=case.stream, headers=headers)
    return Envelope(headers=headers)


async def _body(case: Case) -> bytes:
    named = {} if case.dialect == "gemini" else {"model": case.model, **({"stream": True} if case.stream else {})}
    return orjson.dumps({**named, **_BODIES[case.dialect], **case.body})
