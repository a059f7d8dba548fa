"""A Prometheus of our own: started on a free port, asked over its HTTP interface."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

START_S: Final = 30.0
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """points: time in seconds since 1970, value."""

    labels: dict[str, str]
    points: Points


class Prometheus:
    def __init__(self, program: str, configuration: Path, data: Path, port: int) -> None:
        self._command: Sequence[str] = (
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        )
        self._url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{self._url}/-/ready", timeout=2).close()
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def range(self, query: str, begin: float, end: float, step: float) -> list[Series]:
        found = self._ask("query_range", query=query, start=begin, end=end, step=step)
        return [Series(each["metric"], _numbers(each["values"])) for each in found]

    def instant(self, query: str, at: float) -> list[Series]:
        return [Series(each["metric"], _numbers([each["value"]])) for each in self._ask("query", query=query, time=at)]

    def _ask(self, what: str, **about: object) -> Any:
        query = urllib.parse.urlencode({name: str(value) for name, value in about.items()})
        with urllib.request.urlopen(f"{self._url}/api/v1/{what}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]


def _numbers(values: Sequence[tuple[float, str]]) -> Points:
    """Without the gaps: a quantile of nothing is NaN."""
    return [(at, float(value)) for at, value in values if value not in ("NaN", "+Inf", "-Inf")]
