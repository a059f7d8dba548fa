"""For the whole suite: in CI nothing may be skipped, so that a missing tool cannot turn a red test grey.

With `-n` the tests run in processes of their own, whose reports come here; what is decided from them is decided once,
in the process that has all of them.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from typing import Any

import pytest

NOT_RUN = ("skipped", "xfailed")
PATIENCE_S = 30.0

# every gateway that a test starts as a process would compile the whole package anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: it is not searched for garbage, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """For pytest's own search for what was never closed."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is estimated as without the extra, so that it does not hang on whether a tokenizer is loaded yet."""
    monkeypatch.setattr("gaiarouter.ledger.tokenizer.PACKAGE", "not_in_most_tests")


@pytest.fixture
def promised_timeouts() -> None:
    """For a test of how long a store is waited for."""


@pytest.fixture(autouse=True)
def _patient_stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for some seconds is no outage: only who asks for `promised_timeouts` has them."""
    if "promised_timeouts" not in request.fixturenames:
        for engine in ("postgres", "sqlite"):
            monkeypatch.setattr(f"gaiarouter.store.{engine}._READ_TIMEOUT_S", PATIENCE_S)
            monkeypatch.setattr(f"gaiarouter.store.{engine}._WRITE_TIMEOUT_S", PATIENCE_S)


def _not_run(config: pytest.Config) -> list[str]:
    """Empty in a worker, which has no reporter."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [report.nodeid for kind in NOT_RUN for report in reporter.stats.get(kind, [])] if reporter else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CI") and _not_run(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("CI") and (left_out := _not_run(config)):
        terminalreporter.write_line(f"CI is set and {len(left_out)} did not run: {', '.join(left_out)}", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What a worker sends is UTF-8: half a character in a log or a failure would end the run, not the test."""
    return _as_utf8((yield))


def _as_utf8(part: Any) -> Any:
    match part:
        case str():
            return part.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_as_utf8(name): _as_utf8(value) for name, value in part.items()}
        case list() | tuple():
            return type(part)(map(_as_utf8, part))
        case _:
            return part
