"""What a case does on the real pipeline: each outcome, and that time, chance and keys are the test's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gaiarouter.rehearsal.play import Happened, play
from tests.rehearsal.table import TABLE, case, settings


def played(folder: Path, table: dict[str, Any] | None = None, **members: Any) -> Happened:
    return play(case(folder, **members), settings(table))


def asked(it: Happened) -> list[str]:
    return [f"{each.target.id}: {each.word}" for each in it.asked]


@pytest.mark.parametrize(
    ("outcome", "attempts", "took_s"),
    [
        ("ok", ["main/m: ok"], 0),
        ("refused", ["main/m: refused", "backup/b: ok"], 0),
        ("reset", ["main/m: reset", "backup/b: ok"], 0),
        ("malformed", ["main/m: malformed", "backup/b: ok"], 0),
        ("timeout", ["main/m: timeout", "backup/b: ok"], 20),
        ("connect_timeout", ["main/m: connect_timeout", "backup/b: ok"], 5),
        (503, ["main/m: 503", "backup/b: ok"], 0),
        (401, ["main/m: 401", "backup/b: ok"], 0),
        (429, ["main/m: 429", "backup/b: ok"], 0),
        ("context_length", ["main/m: context_length", "other/large: ok"], 0),
        ({"outcome": "ok", "after": "7s"}, ["main/m: ok"], 7),
        ({"outcome": "ok", "after": "21s"}, ["main/m: timeout", "backup/b: ok"], 20),
        ({"outcome": 503, "after": "2s"}, ["main/m: 503", "backup/b: ok"], 2),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_outcome_leads_where_the_real_failure_leads(
    tmp_path: Path, outcome: Any, attempts: list[str], took_s: float, stream: bool
) -> None:
    began = time.monotonic()
    it = played(tmp_path, outcomes={"main": outcome}, stream=stream)
    assert (asked(it), it.status, it.took_s) == (attempts, 200, pytest.approx(took_s, abs=0.001))
    assert time.monotonic() - began < 15, "nobody waits for real"


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        (400, 400, None),
        ("content_policy", 400, "content_policy_violation"),
        (404, 502, "upstream_error"),
    ],
)
def test_what_is_the_callers_fault_or_lone_goes_back(
    tmp_path: Path, outcome: Any, status: int, error: str | None
) -> None:
    it = played(tmp_path, model="alone", outcomes={"main": outcome})
    assert (it.status, it.error, it.served, len(it.asked)) == (status, error, None, 1)


def test_a_stream_that_breaks_after_its_first_words_is_not_replayed(tmp_path: Path) -> None:
    it = played(tmp_path, outcomes={"main": "interrupted"}, stream=True)
    assert (asked(it), it.status, it.error) == (["main/m: interrupted"], 200, "upstream_stream_interrupted")
    whole = played(tmp_path, outcomes={"main": "interrupted"})
    assert asked(whole) == ["main/m: interrupted", "backup/b: ok"]


def test_outcomes_come_one_after_the_other_and_the_last_stays(tmp_path: Path) -> None:
    it = played(tmp_path, outcomes={"main": [503, "ok"], "backup": "refused"})
    assert asked(it) in (
        ["main/m: 503", "backup/b: refused", "main/m: ok"],
        ["main/m: 503", "backup/b: refused", "backup/b: refused"],
    )
    again = played(tmp_path, model="alone", outcomes={"main": [503, "ok"]}, repeat=3)
    assert asked(again) == ["main/m: ok"]


def test_a_target_may_do_other_than_its_provider(tmp_path: Path) -> None:
    it = played(tmp_path, outcomes={"main": "ok", "main/m": 503})
    assert asked(it) == ["main/m: 503", "backup/b: ok"]


def test_a_breaker_opens_over_repeated_requests_and_closes_in_time(tmp_path: Path) -> None:
    failing = {"main": ["refused", "refused", "refused", "ok"]}
    assert asked(played(tmp_path, outcomes=failing, repeat=4)) == ["backup/b: ok"]
    assert asked(played(tmp_path, outcomes=failing, repeat=4, pause="16s")) == ["main/m: ok"]


def test_weights_are_drawn_by_the_seed(tmp_path: Path) -> None:
    it = played(tmp_path, model="shared", repeat=1000, pause="200ms")
    assert it.shares["main/m"] == pytest.approx(0.9, abs=0.03)
    assert it.shares["main/m"] + it.shares["backup/b"] == pytest.approx(1)
    assert played(tmp_path, model="shared", repeat=1000, pause="200ms").shares == it.shares
    assert played(tmp_path, model="shared", repeat=1000, pause="200ms", seed=2).shares != it.shares


def test_limits_are_the_tables_own(tmp_path: Path) -> None:
    table = {**TABLE, "limits": {"requests": "5/min"}}
    assert played(tmp_path, table, repeat=5).status == 200
    it = played(tmp_path, table, repeat=6)
    assert (it.status, it.error, it.headers["retry-after"]) == (429, "rate_limit_exceeded", "12")


def test_all_providers_are_on_but_those_that_the_test_switches_off(tmp_path: Path) -> None:
    """The table of the tests has no key for `main` and `other`."""
    assert played(tmp_path).served == "main/m"
    assert played(tmp_path, off=["main"]).served == "backup/b"
    it = played(tmp_path, off=["main", "backup", "other"])
    assert (it.status, it.error) == (503, "no_healthy_upstream")


def test_a_key_may_use_what_it_may(tmp_path: Path) -> None:
    it = played(tmp_path, key={"models": ["alone"]})
    assert (it.status, it.error, asked(it)) == (403, "model_not_allowed", [])
    granted = played(tmp_path, key={"models": ["fb"]}, outcomes={"main": 503})
    assert granted.status == 503, "a fallback must be granted by itself"


@pytest.mark.parametrize("dialect", ["chat", "messages", "responses", "gemini"])
@pytest.mark.parametrize("model", ["alone", "claude"])
def test_every_dialect_reaches_every_target(tmp_path: Path, dialect: str, model: str) -> None:
    for stream in (False, True):
        it = played(tmp_path, model=model, dialect=dialect, stream=stream)
        assert (it.status, it.route) == (200, model)


def test_what_a_target_cannot_take_is_told_and_what_it_does_not_do_is_passed_over(tmp_path: Path) -> None:
    it = played(tmp_path, model="claude", body={"frequency_penalty": 1})
    assert it.dropped == ("frequency_penalty",)
    assert it.headers["x-gaia-dropped"] == "frequency_penalty"
    strict = played(tmp_path, model="claude", body={"frequency_penalty": 1}, key={"unsupported": "error"})
    assert strict.status == 400
    none = played(tmp_path, model="claude", dialect="embeddings")
    assert (none.status, none.error, none.passed_over) == (400, "unsupported_operation", ("other/claude-sonnet-4-5",))


def test_headers_are_those_of_a_real_answer(tmp_path: Path) -> None:
    it = played(tmp_path, outcomes={"main": 503})
    wanted = {"x-gaia-route": "fb", "x-gaia-provider": "backup", "x-gaia-model": "b", "x-gaia-attempts": "2"}
    assert wanted.items() <= it.headers.items()
    throttled = played(tmp_path, model="alone", outcomes={"main": {"outcome": 429, "retry_after": "30s"}})
    assert (throttled.headers["retry-after"], throttled.headers["x-gaia-error-source"]) == ("30", "upstream")
