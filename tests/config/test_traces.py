"""`traces:` of the file."""

from __future__ import annotations

import pytest

from gaiarouter.config.loader import load_mapping
from gaiarouter.config.problems import Findings
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Traces
from gaiarouter.config.traces import check_traces

TABLE = {"providers": {"demo": {"dialect": "echo"}}, "routes": [{"match": "demo", "targets": [{"provider": "demo"}]}]}
SECRET = "Basic c2VjcmV0"


def problems(**traces: object) -> list[str]:
    return [str(problem) for problem in load_mapping({**TABLE, "traces": traces}).problems]


def test_left_out_there_are_none() -> None:
    settings = load_mapping(TABLE).settings
    assert settings is not None
    assert settings.traces is None


def test_what_is_said_counts_and_a_header_without_a_value_is_left_out() -> None:
    headers = {"Authorization": "${OTLP:-}", "x-other": "${UNSET:-}"}
    given = {"endpoint": "http://collector:4318", "sample": "5%", "follow_callers": False, "headers": headers}
    settings = load_mapping({**TABLE, "traces": given}, environ={"OTLP": SECRET}).settings
    assert settings is not None
    assert settings.traces == Traces(
        "http://collector:4318", sample=0.05, follow_callers=False, headers={"authorization": Secret(SECRET)}
    )
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("traces", "said"),
    [
        ({}, "traces: `endpoint` is missing"),
        ({"endpoint": "collector:4318"}, "traces.endpoint: found no address of a collector"),
        (
            {"endpoint": "http://u:p@collector"},
            "traces.endpoint: found no address of a collector",
        ),
        ({"endpoint": "http://169.254.169.254/"}, "traces.endpoint: found no address of a collector"),
        ({"endpoint": "http://c", "sample": "2"}, "traces.sample: found '2' without a unit"),
        ({"endpoint": "http://c", "headers": {"x": "a\nb"}}, "traces.headers.x: has a character that may not stand"),
        ({"endpoint": "http://otel.example.com"}, "traces.endpoint: goes in clear text to a public address"),
    ],
)
def test_a_mistake_is_told_where_it_is(traces: dict[str, object], said: str) -> None:
    (problem,) = problems(**traces)
    assert said in problem


def test_a_missing_extra_says_what_to_install() -> None:
    findings = Findings("gaiarouter.yaml")
    check_traces({"traces": {"endpoint": "http://c"}}, findings, installed=False)
    (problem,) = findings.sorted()
    assert problem.severity == "error"
    assert "pip install 'gaiarouter[otel]'" in problem.message
