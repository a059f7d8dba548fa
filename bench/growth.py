"""What a request costs when there is more of everything: `python -m bench --growth`.

More routes, keys, open streams, workers. A gateway of the usual size is the floor; each grown one is measured in turn
with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import measure, subjects
from bench.measure import Bench, Sizes
from bench.subjects import USUAL, Grown

GROWN: Final[Mapping[str, Grown]] = {
    "grown_routes": Grown("routes", routes=1000),
    "grown_keys": Grown("keys", keys=100_000),
    "grown_workers": Grown("workers", workers=2),
}
STREAMS: Final = "grown_streams"

Values = dict[str, dict[str, list[float]]]


def run(bench: Bench, folder: Path, cpu: int | None, sizes: Sizes, rounds: int) -> Values:
    """By the names of the report: `floor` beside, `gateway` with more of it."""
    names = [*GROWN, STREAMS]
    values: Values = {"floor": {name: [] for name in names}, "gateway": {name: [] for name in names}}
    running: list[subjects.Running] = []
    try:
        sizes_of = (USUAL, *GROWN.values(), Grown("streams"))
        running.extend(subjects.run(subjects.gateway(bench.upstream_port, folder, grown), cpu) for grown in sizes_of)
        usual, *others, crowded = running
        bench.load("hold", port=crowded.subject.port, key=crowded.subject.key, count=sizes.crowd)
        for each in running:
            _cost(bench, each, Sizes(small=300))
        for _ in range(rounds):
            _turn(bench, usual, dict(zip(names, [*others, crowded], strict=True)), sizes, values)
        bench.load("release")
    finally:
        subjects.stop_all(running)
    return values


def _turn(
    bench: Bench,
    usual: subjects.Running,
    grown: Mapping[str, subjects.Running],
    sizes: Sizes,
    values: Values,
) -> None:
    for name, each in grown.items():
        values["floor"][name].append(_cost(bench, usual, sizes))
        workers = GROWN[name].workers if name in GROWN else 1
        values["gateway"][name].append(_cost(bench, each, sizes, workers))


def _cost(bench: Bench, running: subjects.Running, sizes: Sizes, workers: int = 1) -> float:
    """Each worker has as many connections as one alone."""
    return measure.small_on(measure.CONNECTIONS * workers, bench, running, sizes)


def crowd_that_fits(wanted: int, files: int) -> int:
    """How many streams one process can hold that may open `files` files: two sockets each, and a fifth is kept."""
    return min(wanted, (files * 4 // 5 - 300) // 2)


def missing(sizes: Sizes, files: int, cpus: Sequence[int]) -> list[str]:
    """What this machine lacks for all that is measured, in words."""
    lacks = []
    if (fits := crowd_that_fits(sizes.crowd, files)) < sizes.crowd:
        lacks.append(f"open files for {sizes.crowd} streams (ulimit -n is {files}: {fits} were held)")
    if len(cpus) < 4:
        lacks.append("a CPU for each of two workers: their cost for a request stands for what they serve")
    return lacks
