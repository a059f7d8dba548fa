"""`python -m bench`: one interleaved run, one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import chart, growth, measure, processes, report, subjects
from bench.measure import EVERY_ROUND, EVERY_START, Bench, Measurement, Sizes
from bench.subjects import Subject

QUICK = Sizes(small=600, large=300, streams=50, burst_passes=1, latency_s=1.0, held=300, crowd=1000)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What the gateway costs beside a bare proxy.")
    parser.add_argument("--quick", action="store_true", help="about half a minute; good for a first look only")
    parser.add_argument("--rounds", type=int, help="how often all is measured in turn (default 5, quick 2)")
    parser.add_argument("--only", help=f"comma-separated, of {', '.join([*EVERY_ROUND, *EVERY_START])}")
    parser.add_argument("--without", default="", help="comma-separated subjects to leave out: nginx, gateway")
    parser.add_argument("--nginx", help="path of an nginx binary (default: the one in PATH)")
    parser.add_argument("--json", action="store_true", help="print every value as JSON, and no table")
    parser.add_argument("--out", type=Path, help="a folder for the same as bench.json, bench.md and bench.svg")
    parser.add_argument("--redis", metavar="ADDRESS", help="beside the gateway one that counts its limits there")
    parser.add_argument("--growth", action="store_true", help="a request's cost by routes, keys, streams and workers")
    parser.add_argument(
        "--other",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another gateway; {port} is where it is to listen, {upstream} the provider's port. May be repeated",
    )
    return parser.parse_args(argv)


class Run:
    """Collects values by subject and metric, over the starts and the rounds."""

    def __init__(self, bench: Bench, cpu: int | None, only: frozenset[str]) -> None:
        self._bench = bench
        self._cpu = cpu
        self._only = only
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def starts(self, chosen: Sequence[Subject], sizes: Sizes, times: int) -> None:
        """Each subject alone, started afresh: how long until it answers, what it weighs, what a stream adds."""
        for _ in range(times):
            for subject in chosen:
                running = subjects.run(subject, self._cpu)
                try:
                    self._keep(subject, "start", running.start_s)
                    self._keep(subject, "idle_memory", processes.rss_bytes(running.process.pid) / 1e6)
                    for name, measurement in EVERY_START.items():
                        self._measure(name, measurement, running, sizes)
                finally:
                    processes.stop(running.process)

    def rounds(self, chosen: Sequence[Subject], sizes: Sizes, times: int, tell: Callable[[str], None]) -> None:
        """All subjects up, and each measurement on one after the other before the next measurement."""
        running: list[subjects.Running] = []
        try:
            running.extend(subjects.run(subject, self._cpu) for subject in chosen)
            self._warm_up(running)
            for turn in range(times):
                tell(f"round {turn + 1} of {times}")
                for name, measurement in EVERY_ROUND.items():
                    for each in running:
                        self._measure(name, measurement, each, sizes)
        finally:
            subjects.stop_all(running)

    def _warm_up(self, running: Sequence[subjects.Running]) -> None:
        for each in running:
            measure.small(self._bench, each, Sizes(small=300))
            measure.burst(self._bench, each, Sizes(streams=10, burst_passes=1))

    def _measure(self, name: str, measurement: Measurement, running: subjects.Running, sizes: Sizes) -> None:
        if not self._only or name in self._only:
            for key, value in measurement(self._bench, running, sizes).items():
                self._keep(running.subject, key, value)

    def _keep(self, subject: Subject, key: str, value: float) -> None:
        self.values[subject.name][key].append(value)


def choose(upstream: int, folder: Path, options: argparse.Namespace) -> list[Subject]:
    """The subjects in the order of their columns."""
    left_out = set(options.without.split(","))
    chosen: list[Subject | None] = [subjects.floor(upstream, folder)]
    if "nginx" not in left_out:
        chosen.append(subjects.nginx(upstream, folder, options.nginx))
    if "gateway" not in left_out:
        chosen.append(subjects.gateway(upstream, folder))
    if options.redis:
        chosen.append(subjects.gateway(upstream, folder, subjects.Grown(name="redis", redis=options.redis)))
    chosen += [subjects.other(text, upstream, folder) for text in options.other]
    return [subject for subject in chosen if subject is not None]


def main() -> int:
    options = arguments()
    files = processes.allow_many_files()
    sizes = QUICK if options.quick else Sizes()
    lacks = growth.missing(sizes, files, sorted(os.sched_getaffinity(0)))
    sizes = replace(sizes, crowd=growth.crowd_that_fits(sizes.crowd, files))
    subject_cpu, load_cpu = processes.cpus()
    began = time.monotonic()
    bench = Bench(load_cpu)
    try:
        with tempfile.TemporaryDirectory(prefix="gaiarouter-bench-") as folder:
            measured = _grown if options.growth else _compared
            values, names, metrics = measured(bench, Path(folder), subject_cpu, sizes, options)
    except (measure.RunFailed, subjects.DidNotStart) as error:
        _tell(f"no result: {error}")
        return 1
    finally:
        bench.close()
    made = report.rows(values, metrics)
    footnote = _footnote(names, subject_cpu, time.monotonic() - began, lacks, options)
    _give_out(made, names, values, footnote, options)
    return 0


Measured = tuple[report.Rounds, list[str], Sequence[report.Metric]]


def _compared(bench: Bench, folder: Path, cpu: int | None, sizes: Sizes, options: argparse.Namespace) -> Measured:
    chosen = choose(bench.upstream_port, folder, options)
    run = Run(bench, cpu, frozenset(filter(None, (options.only or "").split(","))))
    run.starts(chosen, sizes, times=1 if options.quick else 3)
    run.rounds(chosen, sizes, options.rounds or (2 if options.quick else 5), _tell)
    return run.values, [subject.name for subject in chosen], report.METRICS


def _grown(bench: Bench, folder: Path, cpu: int | None, sizes: Sizes, options: argparse.Namespace) -> Measured:
    values = growth.run(bench, folder, cpu, sizes, options.rounds or (2 if options.quick else 5))
    return values, ["floor", "gateway"], report.GROWTH


def _give_out(
    made: Sequence[report.Row],
    names: Sequence[str],
    values: report.Rounds,
    footnote: str,
    options: argparse.Namespace,
) -> None:
    table, everything = report.table(made, names), json.dumps(report.as_json(made, values), indent=1)
    print(everything if options.json else f"{table}\n{footnote}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        judged_first = sorted(names, key=lambda name: name != report.JUDGED)
        for name, text in (
            ("bench.json", everything + "\n"),
            ("bench.md", f"{table}\n{footnote}\n"),
            ("bench.svg", chart.svg(made, judged_first)),
        ):
            (options.out / name).write_text(text)


def _footnote(
    names: Sequence[str], cpu: int | None, seconds: float, lacks: Sequence[str], options: argparse.Namespace
) -> str:
    notes = [f"{seconds:.0f} s; medians; ratio is gateway to floor, round by round"]
    if "nginx" not in (*names, *options.without.split(",")) and not options.growth:
        notes.append("no nginx on this machine (apt-get install nginx-light, or --nginx PATH)")
    if cpu is None:
        notes.append("one CPU only: subject and load share it, times are worth little")
    notes += [f"missing here: {lack}" for lack in lacks]
    return "\n" + "; ".join(notes) + "."


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
