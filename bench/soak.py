"""`python -m bench.soak`: the gateway for as long as is wanted, under every fault and with callers that leave.

What it takes (memory, descriptors, tasks) is written down twice a minute, one line of JSON each; at the end the slope
of each after the first five minutes. Nothing should grow. The load is low: it is time that is tested.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import chart, faulty, processes

SAMPLE_S: Final = 30.0
WARM_UP_S: Final = 300.0
_SCRAPED: Final = re.compile(
    r"^gaiarouter_(requests_in_flight|event_loop_tasks|ledger_pending) ([\d.e+]+)$", re.MULTILINE
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second (default 20)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="a folder for soak.json, all samples, and soak.svg, the memory")
    return parser.parse_args()


class GatewayGone(Exception):
    """It ended before it answered once."""


@dataclass
class Soak:
    url: str
    key: str
    rng: random.Random
    ended: Counter[str] = field(default_factory=Counter)
    """How requests ended for the caller: statuses, `left`, `broken`."""

    async def one(self, session: aiohttp.ClientSession) -> None:
        fault = self.rng.choice(["ok", "ok", "ok", *faulty.FAULTS])
        model = f"{self.rng.choice(('alone', 'fb'))}/{fault}"
        body = {"model": model, "stream": self.rng.random() < 0.6, "messages": [{"role": "user", "content": "hello"}]}
        leaves_after = self.rng.choice((None, None, None, None, 0.001, 0.05, 0.3))
        key = self.key if self.rng.random() > 0.02 else "sk-gaia-wrong"
        try:
            async with asyncio.timeout(leaves_after):
                async with session.post(self.url, json=body, headers={"authorization": f"Bearer {key}"}) as response:
                    async for part in response.content.iter_any():
                        if self.rng.random() < 0.05:
                            await asyncio.sleep(0.2)
                        del part
                    self.ended[str(response.status)] += 1
        except TimeoutError:
            self.ended["left"] += 1
        except aiohttp.ClientError:
            self.ended["broken"] += 1

    async def load(self, seconds: float, rate: float) -> None:
        running: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
            while loop.time() < end:
                task = asyncio.create_task(self.one(session))
                running.add(task)
                task.add_done_callback(running.discard)
                await asyncio.sleep(self.rng.expovariate(rate))
            await asyncio.wait(running)


async def sample(base: str, pid: int, began: float) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{base}/metrics") as response:
        scraped = {name: float(value) for name, value in _SCRAPED.findall(await response.text())}
    return {
        "minute": round((time.monotonic() - began) / 60, 2),
        "rss_mib": round(processes.rss_bytes(pid) / 2**20, 2),
        "descriptors": float(len(os.listdir(f"/proc/{pid}/fd"))),
        "threads": float(len(os.listdir(f"/proc/{pid}/task"))),
        **scraped,
    }


async def samples(base: str, pid: int, found: list[dict[str, float]]) -> None:
    began = time.monotonic()
    while True:
        found.append(await sample(base, pid, began))
        print(json.dumps(found[-1]), flush=True)
        await asyncio.sleep(SAMPLE_S)


def slope(found: Sequence[dict[str, float]], name: str) -> float:
    """A minute's growth by least squares, after the warm-up; 0 if too little was seen."""
    points = [(each["minute"], each[name]) for each in found if each["minute"] * 60 >= WARM_UP_S and name in each]
    if len(points) < 3:
        return 0.0
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return round(float(sum((x - mean_x) * (y - mean_y) for x, y in points)) / float(spread), 4)


def config(folder: Path, upstream: int, port: int) -> dict[str, Any]:
    base = f"http://127.0.0.1:{upstream}/v1"
    provider = {"dialect": "openai", "base_url": base, "api_key": "sk-x"}
    return {
        "server": {"port": port},
        "store": f"sqlite:///{folder}/gaia.db",
        "providers": {"main": provider, "backup": provider},
        "defaults": {
            "timeouts": {"connect": "1s", "first_byte": "3s", "idle": "3s", "total": "15s"},
            "breaker": {"cooldown": "5s"},
        },
        "stream": {"hold": "1s"},
        "routes": [
            {"match": "alone/*", "targets": [{"provider": "main", "model": "{1}"}]},
            {
                "match": "fb/*",
                "targets": [{"provider": "main", "model": "{1}"}],
                "fallbacks": [{"provider": "backup", "model": "ok"}],
            },
        ],
        "limits": {"requests": "unlimited", "tokens": "unlimited", "concurrent": "unlimited"},
    }


def minted(command: Sequence[str], file: Path, *options: str) -> str:
    """The text of a new key."""
    made = [*command, "keys", "create", "--name", "soak", *options, "-c", str(file)]
    found = re.search(r"sk-gaia-[\w-]+", subprocess.run(made, capture_output=True, text=True, check=True).stdout)
    assert found is not None
    return found[0]


async def until_ready(base: str, process: subprocess.Popen[str]) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"{base}/health/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                if process.poll() is not None:
                    raise GatewayGone(process.returncode) from None
                await asyncio.sleep(0.1)


def keep(out: Path, found: Sequence[dict[str, float]], summary: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps({"samples": found, "summary": summary}, indent=1) + "\n")
    (out / "soak.svg").write_text(memory_curve(found))


def memory_curve(found: Sequence[dict[str, float]]) -> str:
    points = [(each["minute"], each["rss_mib"]) for each in found]
    return chart.curve(points, x_title="minutes", y_title="resident memory, MiB")


async def soak(folder: Path, asked: argparse.Namespace) -> int:
    upstream = await asyncio.start_server(faulty.serve, "127.0.0.1", 0)
    port = processes.free_port()
    file = folder / "gaiarouter.yaml"
    file.write_text(json.dumps(config(folder, upstream.sockets[0].getsockname()[1], port)))
    command = (sys.executable, "-m", "gaiarouter")
    key = minted(command, file)
    process = processes.start([*command, "serve", "-c", str(file)], cpu=None, log=folder / "log")
    base, found = f"http://127.0.0.1:{port}", list[dict[str, float]]()
    try:
        await until_ready(base, process)
        watching = asyncio.create_task(samples(base, process.pid, found))
        load = Soak(f"{base}/v1/chat/completions", key, random.Random(asked.seed))
        await load.load(asked.minutes * 60, asked.rate)
        watching.cancel()
        await asyncio.sleep(5)  # what ends late ends now
        last = await sample(base, process.pid, time.monotonic() - asked.minutes * 60)
    finally:
        processes.stop(process)
        upstream.close()
    log = (folder / "log").read_text()
    names = ("rss_mib", "descriptors", "threads", "event_loop_tasks")
    summary = {
        "requests": sum(load.ended.values()),
        "ended": dict(load.ended.most_common()),
        "at_rest": last,
        "growth_a_minute": {name: slope(found, name) for name in names},
        "bugs_in_the_log": log.count("Traceback") + log.count("request.bug"),
        "exit_code": process.returncode,
    }
    print(json.dumps(summary, indent=2))
    if asked.out is not None:
        keep(asked.out, found, summary)
    return 0 if not summary["bugs_in_the_log"] and last["requests_in_flight"] == 0 else 1


def main() -> int:
    processes.allow_many_files()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(soak(Path(folder), arguments()))


if __name__ == "__main__":
    sys.exit(main())
