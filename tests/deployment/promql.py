"""Which metrics and labels a query of Prometheus names. That it is well formed is promtool's to say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gaiarouter.telemetry.catalogue import CATALOGUE, PREFIX

ROOT = Path(__file__).parents[2]
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_NAME = re.compile(r"(?<![\w.$])[a-zA-Z_:][\w:]*(?!\w*\s*\()")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan", "by", "on", "without"})
OF_THE_SCRAPE = frozenset({"job", "instance"})
"""Labels that Prometheus itself puts on."""


def declared() -> dict[str, frozenset[str]]:
    """Every series that a scrape can show, with its labels."""
    found = {"up": OF_THE_SCRAPE}
    for metric in CATALOGUE.values():
        name, known = PREFIX + metric.name, frozenset(metric.labels) | OF_THE_SCRAPE
        if metric.kind == "histogram":
            found |= {name + "_bucket": known | {"le"}, name + "_sum": known, name + "_count": known}
        else:
            found[name] = known
    return found


def level(record: str) -> frozenset[str]:
    """`job_route:what:how` has the labels job and route."""
    return frozenset(record.partition(":")[0].split("_"))


def wrong_in(query: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Metrics that do not exist, and labels that theirs do not have."""
    query = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", "", query)
    made = set(re.findall(r'label_replace\(.*?,\s*"(\w+)"', query, re.DOTALL))
    query = _STRING.sub('""', query)
    for metric, matchers in _SELECTOR.findall(query):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        yield from (f"{metric} has no label {label}" for label in sorted(labels - known.get(metric, labels)))
    query = _SELECTOR.sub(r"\1", query)
    grouped = {label.strip() for found in _GROUPING.findall(query) for label in found.split(",") if label.strip()}
    metrics = set(_NAME.findall(_GROUPING.sub("", query))) - _WORDS
    yield from (f"there is no metric {metric}" for metric in sorted(metrics - known.keys()))
    theirs = made.union(*(known[metric] for metric in metrics & known.keys()))
    yield from (f"no metric here has the label {label}" for label in sorted(grouped - theirs))
