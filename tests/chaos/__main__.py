"""`python -m tests.chaos --faults 200 --seed 7`: faults under load, and the checks after them."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.run import Plan, Report, run
from tests.unit.trainer import tiny_model


def main() -> int:
    """Print a report as JSON; the status is 1 when a promise was broken."""
    asked = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    asked.add_argument("--faults", type=int, default=200)
    asked.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    asked.add_argument("--played", action="store_true", help="play the trainer's part instead of training")
    asked.add_argument("--folder", type=Path, help="keep data and logs here; a temporary folder otherwise")
    asked.add_argument("--earlier", type=Path, help="a checkout of an earlier version, whose services run beside")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-chaos-") as temporary:
        folder = options.folder or Path(temporary)
        plan = Plan(seed=options.seed, faults=options.faults, earlier=options.earlier)
        if not options.played:
            folder.mkdir(parents=True, exist_ok=True)
            model = tiny_model.save(folder / "base")
            # A killed training starts again after its imports, which take 15 seconds.
            plan = replace(plan, base_model=model, settle_s=180)
        say(f"SEED={options.seed}")
        try:
            report = asyncio.run(_until_told(run(plan, folder, say)))
        except asyncio.CancelledError:
            say("ended by SIGTERM; every process was killed")
            return 128 + signal.SIGTERM
    print(json.dumps(report.as_json()))
    if report.findings:
        say(f"run it again with: make chaos FAULTS={options.faults} SEED={options.seed}")
    return 1 if report.findings else 0


async def _until_told(running: Coroutine[Any, Any, Report]) -> Report:
    """SIGTERM ends the run like SIGINT does, so that what the run started is ended, too."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
