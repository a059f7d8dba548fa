"""One record, one log line and the metrics for every request, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import (
    CallerGone,
    Interrupted,
    InvalidRequest,
    LimitExceeded,
    Overloaded,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from gaiarouter.limits.base import Window
from gaiarouter.pipeline import Metering
from gaiarouter.pipeline.exchange import AttemptRecord, Exchange
from gaiarouter.pipeline.request_line import RequestLine
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.store.base import ApiKey, UsageRecord
from gaiarouter.telemetry import Metrics
from tests.pipeline.scripted import STREAM_BODY, Clock, KeptReply, match_of, routed

KEY = ApiKey(id="key_1", name="Ada", secret_hash=b"", created_us=0, organization="org_1")


class Kept:
    def __init__(self) -> None:
        self.records: list[UsageRecord] = []

    def record(self, record: UsageRecord) -> None:
        self.records.append(record)


class AnyLease:
    requests: Window | None = None
    tokens: Window | None = None

    def reserve_tokens(self, tokens: int) -> None: ...

    def settle(self, tokens: int | None) -> None: ...


def finished(
    prepare: Callable[[Exchange], None], *, now: float = 103.0, tell: Callable[[RequestLine], None] = lambda line: None
) -> tuple[list[UsageRecord], Metrics]:
    """A request that came at 100.0, went to `main`, and is over at `now`."""
    clock = Clock()
    made = routed(clock, STREAM_BODY, match_of("main", "backup"))
    made.key, made.lease = KEY, AnyLease()
    made.served = ResolvedTarget("main", "main-model", "r")
    made.attempts.append(AttemptRecord("main", "main-model", "ok", 1.0))
    made.attempt_started_s = 100.5
    prepare(made)
    clock.now = now
    kept, metrics = Kept(), Metrics()
    Metering(kept, metrics, clock, models=["main-model"], tell=tell).finish(made)
    return kept.records, metrics


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"gaiarouter_{name}", labels) or 0.0


@dataclass(frozen=True)
class Ending:
    name: str
    error: BaseException | None
    status: int
    outcome: str
    code: str | None
    started: bool = False
    committed: bool = False
    complete: bool = False

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


ENDINGS = [
    Ending("whole", None, 200, "ok", None, True, True, True),
    Ending("left after it was whole", asyncio.CancelledError(), 200, "ok", None, True, True, True),
    Ending("cut short after it was whole", Unavailable("x", code="draining"), 200, "ok", None, True, True, True),
    Ending("refused", InvalidRequest("x"), 400, "error", "invalid_request"),
    Ending("limited", LimitExceeded("x"), 429, "error", "rate_limit_exceeded"),
    Ending("failed", Overloaded("x"), 503, "error", "upstream_overloaded"),
    Ending("rejected without a code", Rejected("x", status=422), 422, "error", "other"),
    Ending("failed with keep-alives sent", Overloaded("x"), 200, "error", "upstream_overloaded", True),
    Ending("broken off", Interrupted("x"), 200, "interrupted", "upstream_stream_interrupted", True, True),
    Ending("cut short", Unavailable("x", code="draining"), 200, "interrupted", "draining", True, True),
    Ending("left before", asyncio.CancelledError(), 499, "cancelled", "client_closed_request"),
    Ending("left in the middle", asyncio.CancelledError(), 499, "cancelled", "client_closed_request", True, True),
    Ending("found gone by a write", CallerGone("x"), 499, "cancelled", "client_closed_request", True, True),
    Ending("a bug", KeyError("x"), 500, "error", "internal_error"),
    Ending("a bug in the middle", KeyError("x"), 200, "interrupted", "internal_error", True, True),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_every_ending_leaves_one_record(ending: Ending) -> None:
    def prepare(made: Exchange) -> None:
        made.error, made.complete = ending.error, ending.complete
        made.reply = KeptReply(started=ending.started, committed=ending.committed)

    (record,), metrics = finished(prepare)
    assert (record.status, record.outcome, record.error) == (ending.status, ending.outcome, ending.code)
    assert (record.id, record.request_id, record.time_us) == ("rec_1", "req_1", 1_700_000_000_000_000)
    assert (record.key, record.organization, record.route, record.provider) == ("key_1", "org_1", "r", "main")
    assert (record.model_asked, record.model_served, record.streamed, record.attempts) == ("m", "main-model", True, 1)
    assert record.duration_us == 3_000_000
    assert record.cost_nano_usd is None
    labels = {
        "route": "r",
        "model": "main-model",
        "code_class": f"{ending.status // 100}xx",
        "code": ending.code or "ok",
    }
    assert value(metrics, "requests_total", **labels) == 1
    interrupted = value(metrics, "streams_interrupted_total", provider="main", cause=ending.code or "ok")
    assert interrupted == (ending.outcome == "interrupted")
    phase = "mid" if ending.committed else "before"
    assert value(metrics, "client_disconnects_total", phase=phase) == (ending.outcome == "cancelled")


def test_who_read_too_slowly_has_not_hung_up() -> None:
    def prepare(made: Exchange) -> None:
        made.error, made.reply = asyncio.CancelledError(), KeptReply(started=True, committed=True, stalled=True)

    _, metrics = finished(prepare)
    assert value(metrics, "client_disconnects_total", phase="slow") == 1
    assert value(metrics, "client_disconnects_total", phase="mid") == 0


def test_who_is_not_known_leaves_a_count_and_no_row() -> None:
    def prepare(made: Exchange) -> None:
        made.key = made.lease = made.request = made.match = made.served = None
        made.attempts.clear()
        made.error = Unauthenticated()

    records, metrics = finished(prepare)
    assert records == []
    labels = {"route": "none", "model": "none", "code_class": "4xx", "code": "invalid_api_key"}
    assert value(metrics, "requests_total", **labels) == 1


def test_a_key_that_was_refused_later_leaves_a_row_of_what_is_known() -> None:
    def prepare(made: Exchange) -> None:
        made.lease = made.request = made.match = made.served = None
        made.attempts.clear()
        made.error = LimitExceeded("x")

    (record,), _ = finished(prepare)
    assert (record.key, record.route, record.model_asked, record.provider) == ("key_1", None, None, None)
    assert (record.attempts, record.streamed) == (0, False)


def test_tokens_are_recorded_by_class_and_counted() -> None:
    def prepare(made: Exchange) -> None:
        made.usage = Usage(
            in_uncached=1, in_cache_read=2, in_cache_write=3, in_tool=4, out_visible=5, out_reasoning=6, estimated=True
        )

    (record,), metrics = finished(prepare)
    classes = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
    assert [getattr(record, name) for name in classes] == [1, 2, 3, 4, 5, 6]
    assert record.estimated
    for number, name in enumerate(classes, 1):
        labels = {"provider": "main", "model": "main-model", "class": name}
        assert value(metrics, "tokens_total", **labels) == number
    assert value(metrics, "usage_estimated_total", provider="main") == 1


def test_a_cost_is_recorded_and_counted_in_dollars() -> None:
    def prepare(made: Exchange) -> None:
        made.usage, made.cost_nano = Usage(in_uncached=4), 2_500_000_000

    (record,), metrics = finished(prepare)
    assert record.cost_nano_usd == 2_500_000_000
    assert value(metrics, "cost_usd_total", provider="main", model="main-model") == 2.5
    assert value(metrics, "unpriced_total", provider="main", model="main-model") == 0


@pytest.mark.parametrize("usage", [Usage(in_uncached=4), Usage(units={"audio_seconds": 3.0})], ids=["tokens", "sound"])
def test_an_answer_without_a_price_is_counted_and_costs_nothing_known(usage: Usage) -> None:
    def prepare(made: Exchange) -> None:
        made.usage = usage

    (record,), metrics = finished(prepare)
    assert record.cost_nano_usd is None
    assert (
        metrics.registry.get_sample_value("gaiarouter_cost_usd_total", {"provider": "main", "model": "main-model"})
        is None
    )
    assert value(metrics, "unpriced_total", provider="main", model="main-model") == 1


def test_every_attempt_is_counted_and_every_move_to_another_target() -> None:
    def prepare(made: Exchange) -> None:
        made.attempts[:] = [
            AttemptRecord("main", "main-model", "http_5xx", 1.0),
            AttemptRecord("main", "main-model", "reset", 1.0),
            AttemptRecord("backup", "backup-model", "ok", 1.0),
        ]
        made.served = ResolvedTarget("backup", "backup-model", "r")

    (record,), metrics = finished(prepare)
    assert record.attempts == 3
    for provider, outcome in (("main", "http_5xx"), ("main", "reset"), ("backup", "ok")):
        assert value(metrics, "upstream_attempts_total", provider=provider, outcome=outcome) == 1
    moved = {"from": "main", "to": "backup", "reason": "reset"}
    assert value(metrics, "fallbacks_total", **moved) == 1
    assert value(metrics, "requests_total", route="r", model="other", code_class="2xx", code="ok") == 1


def test_the_line_says_which_attempts_a_provider_may_bill_all_the_same() -> None:
    def prepare(made: Exchange) -> None:
        made.attempts[:] = [
            AttemptRecord(
                "main", "main-model", "timeout_first_byte", 1.0, lost=Usage(in_uncached=9, estimated=True), lost_nano=3
            ),
            AttemptRecord("backup", "backup-model", "ok", 1.0),
        ]

    lines: list[RequestLine] = []
    finished(prepare, tell=lines.append)
    (line,) = lines
    assert line.attempts == ["main/main-model: timeout_first_byte (may be billed)", "backup/backup-model: ok"]


def test_times_are_told_apart() -> None:
    """Came at 100.0; asked at 100.5; spoke at 102.5, of which 1.9 s were waited for the target; over at 103.0."""

    def prepare(made: Exchange) -> None:
        made.spoke_s, made.upstream_s = 102.5, 1.9

    (record,), metrics = finished(prepare)
    assert (record.duration_us, record.first_content_us) == (3_000_000, 2_500_000)
    assert value(metrics, "first_content_seconds_sum", provider="main") == pytest.approx(2.0)
    assert value(metrics, "overhead_seconds_sum") == pytest.approx(0.6)
    assert value(metrics, "request_duration_seconds_sum", route="r", stream="true") == pytest.approx(3.0)


def test_names_from_callers_are_bounded_in_the_record() -> None:
    def prepare(made: Exchange) -> None:
        assert made.request is not None
        made.request.model = "x" * 5000
        made.served = ResolvedTarget("main", "y" * 5000, "r")

    (record,), _ = finished(prepare)
    assert record.model_asked is not None
    assert record.model_served is not None
    assert len(record.model_asked) == len(record.model_served) == 128
