"""For the whole suite: in CI nothing may be skipped, so that a missing tool cannot turn a red test grey."""

from __future__ import annotations

import os

import pytest

NOT_RUN = ("skipped", "xfailed")


@pytest.fixture(autouse=True)
def _no_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage is estimated as without the extra, so that it does not hang on whether a tokenizer is loaded yet."""
    monkeypatch.setattr("gaiarouter.ledger.tokenizer.PACKAGE", "not_in_most_tests")


def _not_run(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [report.nodeid for kind in NOT_RUN for report in reporter.stats.get(kind, [])]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CI") and _not_run(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("CI") and (left_out := _not_run(config)):
        terminalreporter.write_line(f"CI is set and {len(left_out)} did not run: {', '.join(left_out)}", red=True)
