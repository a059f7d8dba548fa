"""`python -m bench.dashboard`: two gateways under load, with faults; Prometheus watches; the dashboard as a picture.

Needs `prometheus` (Debian's package; or --prometheus FILE) and `chromium`; with `pngquant` the picture becomes smaller.
Everything is on the loopback. After a fifth of the time an outage begins, in the middle streams break off, then a
provider throttles, then somebody saves a table with a mistake; one key meets its limit and its budget all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from bench import processes
from bench.dashboard import picture
from bench.dashboard.prometheus import Prometheus
from bench.dashboard.provider import Providers
from bench.soak import minted, until_ready

ROOT: Final = Path(__file__).parents[2]
PICTURE: Final = ROOT / "docs" / "dashboard.png"
SCRAPE_S: Final = 5
FAULTS: Final = {"outage": (0.2, 0.4, "openai"), "breaks": (0.5, 0.62, "groq"), "throttles": (0.68, 0.8, "house")}
"""From and to, as shares of the time, and whom it meets."""
MISTAKE: Final = (0.84, 0.94)
MODELS: Final = ("gpt-5-mini", "gpt-5-mini", "gpt-5-mini", "gpt-4.1", "fast", "fast", "house")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=8.0, help="requests a second")
    parser.add_argument("--prometheus", default="prometheus", help="the program")
    parser.add_argument("--keep", type=Path, help="a file for the page that was drawn, as HTML")
    return parser.parse_args()


def table(folder: Path, upstream: int, port: int) -> dict[str, Any]:
    def provider(name: str, **more: object) -> dict[str, object]:
        return {"api_key": "sk-x", "base_url": f"http://127.0.0.1:{upstream}/{name}/v1", **more}

    return {
        "server": {"port": port},
        "store": f"sqlite:///{folder}/gaia.db",
        "providers": {
            "openai": provider("openai"),
            "openrouter": provider("openrouter"),
            "groq": provider("groq"),
            "house": provider("house", dialect="openai"),
        },
        "routes": [
            {
                "match": "gpt-*",
                "targets": [{"provider": "openai"}],
                "fallbacks": [{"provider": "openrouter", "model": "openai/{model}"}],
            },
            {"match": "fast", "targets": [{"provider": "groq", "model": "llama-3.3-70b-versatile"}]},
            {"match": "house", "targets": [{"provider": "house", "model": "house-7b"}]},
        ],
        "limits": {"requests": "unlimited", "tokens": "unlimited", "concurrent": "unlimited"},
    }


@dataclass(frozen=True, slots=True)
class Load:
    bases: Sequence[str]
    keys: Sequence[str]
    rng: random.Random

    async def run(self, seconds: float, rate: float) -> None:
        loop, running = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        end = loop.time() + seconds
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            while loop.time() < end:
                task = asyncio.create_task(self._one(session))
                running.add(task)
                task.add_done_callback(running.discard)
                await asyncio.sleep(self.rng.expovariate(rate))
            await asyncio.wait(running)

    async def _one(self, session: aiohttp.ClientSession) -> None:
        stream = self.rng.random() < 0.7
        body = {"model": self.rng.choice(MODELS), "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        key = self.rng.choices([*self.keys, "sk-gaia-wrong"], [20, 3, 0.3])[0]
        leaves_after = 0.8 if self.rng.random() < 0.02 else None
        try:
            async with (
                asyncio.timeout(leaves_after),
                session.post(
                    self.rng.choice(self.bases) + "/v1/chat/completions",
                    json=body,
                    headers={"authorization": f"Bearer {key}"},
                ) as response,
            ):
                await response.read()
        except (TimeoutError, aiohttp.ClientError):
            return  # it left, or the answer broke off: the gateway counts both


def fault_at(share: Callable[[], float]) -> Callable[[str], str | None]:
    def fault(provider: str) -> str | None:
        for name, (begin, end, whose) in FAULTS.items():
            if provider == whose and begin <= share() < end:
                return name
        return None

    return fault


def mistake(file: Path, seconds: float) -> None:
    right = file.read_text()
    begin, end = MISTAKE
    time.sleep(begin * seconds)
    file.write_text(right.replace('"groq"', '"grog"', 1))
    time.sleep((end - begin) * seconds)
    file.write_text(right)


def scrape(folder: Path, ports: Sequence[int]) -> Path:
    """config/prometheus as it is shipped, but for where the gateways are and how often they are asked."""
    shipped = ROOT / "config" / "prometheus"
    configuration = yaml.safe_load((shipped / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"}
    configuration["rule_files"] = [str(shipped / name) for name in configuration["rule_files"]]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    return file


async def show(folder: Path, asked: argparse.Namespace) -> None:
    seconds, began, rng = asked.minutes * 60, time.monotonic(), random.Random(7)
    providers = Providers(rng, fault_at(lambda: (time.monotonic() - began) / seconds))
    upstream = await asyncio.start_server(providers.serve, "127.0.0.1", 0)
    ports = [processes.free_port() for _ in range(3)]
    command = (sys.executable, "-m", "gaiarouter")
    file = folder / "gaiarouter.yaml"
    file.write_text(json.dumps(table(folder, upstream.sockets[0].getsockname()[1], ports[0])))
    keys = [minted(command, file), minted(command, file, "--requests", "20/min", "--budget", "0.2/day")]
    running = [
        processes.start([*command, "serve", "-c", str(file), "--port", str(port)], cpu=None, log=folder / f"{port}.log")
        for port in ports[:2]
    ]
    watching = Prometheus(asked.prometheus, scrape(folder, ports[:2]), folder / "data", ports[2])
    try:
        bases = [f"http://127.0.0.1:{port}" for port in ports[:2]]
        for base, process in zip(bases, running, strict=True):
            await until_ready(base, process)
        watching.start()
        breaking = asyncio.create_task(asyncio.to_thread(mistake, file, seconds))
        await Load(bases, keys, rng).run(seconds, asked.rate)
        await breaking
        page = await asyncio.to_thread(picture.draw, watching, time.time(), seconds)
    finally:
        watching.stop()
        for process in running:
            processes.stop(process)
        upstream.close()
    picture.photograph(page, PICTURE, keep=asked.keep)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(show(Path(temporary), arguments()))
