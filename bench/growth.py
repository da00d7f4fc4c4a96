"""`make bench-growth`: what people wait for, with few jobs and with many, side by side in one run.

Each size is an installation with its own NATS, MongoDB stand-in, mock engine and five services as processes. The jobs
are written in bulk, each with thirty events, a run and a curve; every tenth has a deployed version. Then each action
is repeated in all installations by turns: creating a job, listing jobs (two pages), opening a run (the job, its
events, its page), replacing the version that a name means, and one chat request.

`SIZES=100,1000,10000` (default 100,10000,100000), `ROUNDS` (5), `REPEATS` of each action in a round (20, a tenth of
it for replacing a version).
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import numpy as np

from bench.growth_installation import SERVICES, Installation, installation
from bench.side_by_side import Ratio, show, verdict

SIZES = tuple(int(size) for size in os.environ.get("SIZES", "100,10000,100000").split(","))
ROUNDS, REPEATS = int(os.environ.get("ROUNDS", "5")), int(os.environ.get("REPEATS", "20"))
ACTIONS = ("create", "list", "open", "swap", "chat")
MOST, SMALL_MS = 1.5, 5.0


async def measure(installations: Sequence[Installation]) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as client:
        # The first answers of a process are slow, whatever it has stored.
        for each in installations:
            await _act(each, 2, client)
            each.took_s.clear()
        for turn in range(ROUNDS):
            # The order rotates, so that a disturbance affects all of them.
            start = turn % len(installations)
            for each in [*installations[start:], *installations[:start]]:
                await _act(each, REPEATS, client)


async def _act(each: Installation, repeats: int, client: aiohttp.ClientSession) -> None:
    for action in ACTIONS:
        if action == "swap":
            await each.swap(max(1, repeats // 10), client)
        else:
            await each.measure(action, repeats, client)


def quantile_ms(each: Installation, action: str, percent: int) -> float:
    return float(np.percentile(each.took_s[action], percent)) * 1000


def report(installations: Sequence[Installation]) -> int:
    figures = {
        action: {p: [quantile_ms(each, action, p) for each in installations] for p in (50, 99)} for action in ACTIONS
    }
    rows = [[action, f"p{p}", *figures[action][p]] for action in ACTIONS for p in (50, 99)]
    show(["", "ms", *(f"{each.jobs:,} jobs" for each in installations)], rows)
    memory = [each.memory_mb() for each in installations]
    show(
        ["resident MiB", *(f"{each.jobs:,} jobs" for each in installations)],
        [[service, *(found[service] for found in memory)] for service in SERVICES],
    )
    return verdict(
        "growth",
        [ratio for action in ACTIONS for ratio in _ratios(action, figures[action])],
        sizes=[each.jobs for each in installations],
        ms={
            action: {f"p{p}": [round(ms, 2) for ms in each] for p, each in of.items()} for action, of in figures.items()
        },
        memory_mb=[{name: round(mb) for name, mb in found.items()} for found in memory],
        load=round(os.getloadavg()[0], 1),
    )


def _ratios(action: str, of: dict[int, list[float]]) -> list[Ratio]:
    """From the first size to the last. A 99th percentile may also be 5 ms more, whatever its ratio."""
    middle, worst = of[50], of[99]
    least = max(worst[0], (worst[0] + SMALL_MS) / MOST)
    return [
        Ratio(f"{action} p50", middle[-1] / middle[0], MOST, 1.0, most=True),
        Ratio(f"{action} p99", worst[-1] / least, MOST, 1.0, most=True),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        installations = [stack.enter_context(installation(size, Path(folder) / str(size))) for size in SIZES]
        asyncio.run(measure(installations))
        return report(installations)


if __name__ == "__main__":
    sys.exit(main())
