"""Writes the tables of docs/metrics.md from the catalogue of metrics."""

from __future__ import annotations

from pathlib import Path

from gaiarouter.telemetry.catalogue import CATALOGUE, LABELS, PREFIX, Declared

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
BEGIN, END = "<!-- catalogue: begin (written by .ci/update_metrics_page.py) -->", "<!-- catalogue: end -->"

_OF_ALL = {"livesum": "sum", "livemax": "greatest", "livemin": "least"}


def catalogue() -> str:
    rows = ["| metric | type | labels | of workers | what it says |", "| --- | --- | --- | --- | --- |"]
    rows += [_row(declared) for declared in CATALOGUE.values()]
    rows += ["", "| label | values |", "| --- | --- |"]
    rows += [f"| `{label}` | {_values(values)} |" for label, values in LABELS.items()]
    return "\n".join(rows)


def with_catalogue(page: str) -> str:
    """`page` with the tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{catalogue()}\n\n{END}{after}"


def _row(declared: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in declared.labels)
    of_all = _OF_ALL[declared.of_all] if declared.kind == "gauge" else "sum"
    return f"| `{PREFIX}{declared.name}` | {declared.kind} | {labels} | {of_all} | {declared.meaning} |"


def _values(values: str | tuple[str, ...]) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    PAGE.write_text(with_catalogue(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
