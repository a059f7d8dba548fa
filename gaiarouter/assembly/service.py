"""What one configuration serves with: its table, addresses, stages and models. A reload builds another beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from gaiarouter.assembly.formats import Formats
from gaiarouter.assembly.parts import Parts
from gaiarouter.config.settings import Settings
from gaiarouter.dialects.bindings import READERS
from gaiarouter.dialects.counting import counted_in
from gaiarouter.dialects.gemini.embedding_dialect import BATCH, SINGLE
from gaiarouter.dialects.kept.handles import Handles
from gaiarouter.dialects.kept.request import KEPT
from gaiarouter.ledger.pricing import Pricing
from gaiarouter.ledger.tokenizer import Tokenizer
from gaiarouter.pipeline import (
    STAGES,
    Admission,
    Auth,
    Booking,
    Metering,
    Proxy,
    RateLimit,
    Recording,
    Stage,
    Transform,
)
from gaiarouter.pipeline.affinity import Affinities
from gaiarouter.pipeline.auth import Door, Refusal
from gaiarouter.pipeline.conversion import Convert, Converter
from gaiarouter.pipeline.counting import CountConverter
from gaiarouter.pipeline.embedding import EmbeddingConverter
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.explaining import Explainer, NothingLoaded
from gaiarouter.pipeline.passing import KeepingConverter, KeptConverter, PassedConverter
from gaiarouter.pipeline.preferring import PreferringConverter
from gaiarouter.pipeline.request_line import EVENT
from gaiarouter.pipeline.runner import Stages
from gaiarouter.providers.base import Endpoint
from gaiarouter.providers.endpoint import endpoints
from gaiarouter.providers.prices import Prices, PriceTable
from gaiarouter.providers.targets import relays, stateless, targets
from gaiarouter.routing.attempts import Plan
from gaiarouter.routing.grants import Grants
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.kept import Keepers
from gaiarouter.routing.listing import Known, list_models
from gaiarouter.routing.preferences import Preferring
from gaiarouter.routing.selection import Price
from gaiarouter.routing.table import Table
from gaiarouter.server.handler import Service
from gaiarouter.server.logs import teller
from gaiarouter.upstream.base import MediaSource

Places = Mapping[str, Mapping[str, Endpoint]]
"""By provider's name, then by operation: where it is called."""


def build_service(
    settings: Settings,
    parts: Parts,
    formats: Formats,
    *,
    around: Callable[[Convert], Convert] = lambda convert: convert,
) -> Service:
    """around: put around the conversion of every request, for tests of the table."""
    places, grants, table = endpoints(settings), Grants(), Table(settings)
    known = {name: parts.catalogue.models(provider.kind) for name, provider in settings.providers.items()}
    models = list_models(table, settings, known)
    prices = Prices(PriceTable.load(), settings.providers)
    preferring = Preferring(settings.providers, relays(settings), prices, health=parts.health, rng=parts.rng)
    auth = _auth(settings, parts)
    issuers = Issuers(places, stateless(settings))
    served, explained = _transforms(settings, table, grants, issuers, preferring, parts.handles)
    conversions = _Conversions(settings, places, formats, preferring, parts)
    explainer = Explainer(
        table, explained, conversions.convert(NothingLoaded()), issuers, READERS, formats.dialects, parts.health
    )
    stages: dict[type[Stage], Stage] = {
        Admission: Admission(parts.gate),
        Auth: auth,
        **({} if parts.bodies is None else {Recording: Recording(parts.bodies)}),
        RateLimit: RateLimit(parts.limiter, default=settings.limits, aside=parts.aside, shared=parts.shared),
        Transform: served,
        Booking: Booking(parts.ledger, parts.budgets, Pricing(prices)),
        Proxy: _proxy(settings, conversions, parts, formats, prices, around),
        Metering: _metering(parts, _label_models(settings, known)),
    }
    return Service(
        settings=settings,
        stages=Stages([stages[stage] for stage in STAGES if stage in stages]),
        auth=auth,
        models=models,
        allows=grants.allows,
        explain=lambda question: explainer.explain(question, parts.clock()),
        addresses=frozenset(e.url for spoken in places.values() for e in spoken.values() if e.transport == "http"),
        spans=parts.spans,
    )


def _transforms(
    settings: Settings, table: Table, grants: Grants, issuers: Issuers, preferring: Preferring, handles: Handles | None
) -> tuple[Transform, Transform]:
    """For requests, and for questions where one would go: who asks need not be its caller, so that marks of handles say
    nothing there."""
    keepers = Keepers(settings.providers, issuers, handles), Keepers(settings.providers, issuers, None)
    served, explained = (Transform(table, grants.allows, issuers, READERS, preferring, each) for each in keepers)
    return served, explained


def _metering(parts: Parts, models: Iterable[str]) -> Metering:
    tell = teller("gaiarouter.request", EVENT)
    return Metering(parts.ledger, parts.metrics, parts.clock, models=models, tell=tell)


def _auth(settings: Settings, parts: Parts) -> Auth:
    wanted = settings.auth
    return Auth(
        parts.keys,
        required=wanted.required,
        guesses=parts.guesses,
        wrong_keys=wanted.wrong_keys,
        on_refused=partial(_count_refused, parts),
    )


def _count_refused(parts: Parts, why: Refusal, door: Door, who: Callable[[], str]) -> None:
    parts.metrics.auth_failures.labels(why).inc()
    parts.note_refused(why, door, who())


class _Conversions:
    """How targets are spoken to by the table's settings."""

    def __init__(
        self, settings: Settings, places: Places, formats: Formats, preferring: Preferring, parts: Parts
    ) -> None:
        self._places = places
        self._handles = parts.handles
        self._aside = parts.aside
        self._stateless = stateless(settings)
        self._formats = formats
        self._preferring = preferring
        self._targets = targets(settings)

    def counts(self, media: MediaSource) -> CountConverter:
        formats = self._formats
        return CountConverter(self._places, formats.counts, formats.callers, self._targets, media, self._aside)

    def convert(self, media: MediaSource) -> Convert:
        places, formats, preferring = self._places, self._formats, self._preferring
        counts, passed = self.counts(media), PassedConverter(places)
        converter = Converter(places, formats.both, formats.callers, self._targets, media, self._aside)
        handles = self._handles
        others: dict[str, Convert] = {
            **dict.fromkeys(("embeddings", SINGLE, BATCH), EmbeddingConverter(places, formats.embeddings).convert),
            **{counted_in(name): counts.convert for name in formats.counts},
            **dict.fromkeys(formats.passed, passed.convert),
            KEPT: KeptConverter(places, handles).convert,
        }
        if handles is not None:
            others["responses"] = KeepingConverter(converter.convert, handles, self._stateless).convert
        return PreferringConverter(converter.convert, others, preferring.relays).convert


def _proxy(
    settings: Settings,
    conversions: _Conversions,
    parts: Parts,
    formats: Formats,
    prices: Prices,
    around: Callable[[Convert], Convert],
) -> Proxy:
    return Proxy(
        convert=around(conversions.convert(parts.media)),
        estimate=conversions.counts(parts.media).estimate,
        upstreams=parts.upstreams,
        charge=Pricing(prices),
        tokenizer=Tokenizer(),
        plan=_planner(settings, parts, Affinities(formats.callers), prices.compared),
        clock=parts.clock,
    )


def _planner(settings: Settings, parts: Parts, affinities: Affinities, price: Price) -> Callable[[Exchange], Plan]:
    """Plans by the table that the request began with."""

    def plan(exchange: Exchange) -> Plan:
        match = exchange.match
        assert match is not None
        return Plan(
            match,
            settings.providers,
            parts.health,
            parts.rng,
            exchange.received_s,
            affinity=None if match.route.affinity is None else affinities.of(exchange),
            price=price,
        )

    return plan


def _label_models(settings: Settings, known: Known) -> Iterable[str]:
    """The models that may name themselves in a metric: those that the file or the catalogue spells out."""
    groups = [group for route in settings.routes for group in (route.targets, *route.fallbacks)]
    yield from (target.model for group in groups for target in group.targets if target.model is not None)
    yield from (name for route in settings.routes for name in route.match)
    for models in known.values():
        yield from models
