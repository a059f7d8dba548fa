"""`python -m tests.scale_out`: three gateways behind a balancer on one PostgreSQL and one Valkey, and what is counted.

Prints a table; the exit code is 1 if anything does not hold. `docs/scaling.md` has the figures of a run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.limits.valkey_server import ValkeyServer
from tests.scale_out.balancer import Balancer, RoundRobin, balancer
from tests.scale_out.fleet import fleet
from tests.scale_out.shows import SHOWS, Size, make_keys, show
from tests.store.postgres_server import PostgresServer


async def run(folder: Path, postgres: PostgresServer, valkey: ValkeyServer, before: Balancer, only: str) -> bool:
    held = True
    async with fleet(folder, postgres, valkey, before) as running:
        await make_keys(running, Size())
        print(f"{len(running.members)} gateways behind {before.name}\n", flush=True)
        print("| what | counted | seconds | |\n| --- | --- | --- | --- |", flush=True)
        for what, each in SHOWS:
            if only in each.__name__:
                shown = await show(running, Size(), what, each)
                held = held and shown.holds
                verdict = "holds" if shown.holds else "**BROKEN**"
                print(f"| {what} | {shown.counted} | {shown.seconds:.1f} | {verdict} |", flush=True)
    return held


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scale_out", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", default="", help="shows whose name holds this: " + ", ".join(s.__name__ for _, s in SHOWS)
    )
    parser.add_argument("--own", action="store_true", help="the script's own balancer, also where there is nginx")
    given = parser.parse_args()
    postgres, valkey = PostgresServer(), ValkeyServer()
    try:
        postgres.start()
        valkey.start()
        with tempfile.TemporaryDirectory(prefix="gaia-scale-") as folder:
            before = RoundRobin() if given.own else balancer(Path(folder))
            return 0 if asyncio.run(run(Path(folder), postgres, valkey, before, given.only)) else 1
    finally:
        valkey.remove()
        postgres.remove()


if __name__ == "__main__":
    sys.exit(main())
