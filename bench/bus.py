"""`make bench-bus`: from publishing to the handler, and a backlog drained, beside bare nats-py and FastStream.

All sides use one NATS server and, with an inbox, one MongoDB stand-in, by turns. Bare nats-py fetches in batches and
has the same inbox: one lookup and one write for each batch, and then the acknowledgements. FastStream has its defaults
for a durable pull consumer, and writes no log; it is slower, and gets a tenth of the backlog. Assay writes its log
lines into a file. `BACKLOG=10000` and `ROUNDS=1` make a shorter run.
"""

import asyncio
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.bus_sides import SIDES, SLOW, Outcome, Servers
from bench.side_by_side import Ratio, free_port, running, show, verdict
from shared import telemetry

BACKLOG = int(os.environ.get("BACKLOG", "100000"))
SINGLE, ROUNDS = int(os.environ.get("SINGLE", "300")), int(os.environ.get("ROUNDS", "3"))
_BIN = Path(sys.executable).parent


@dataclass
class Side:
    """The outcomes of one side."""

    name: str
    latencies_s: list[list[float]] = field(default_factory=list[list[float]])
    rates: list[float] = field(default_factory=list[float])
    """Events drained in a second."""

    def quantile_ms(self, percent: int) -> float:
        """The median over the rounds."""
        rounds = [statistics.quantiles(each, n=100)[percent - 1] for each in self.latencies_s]
        return 1000 * statistics.median(rounds)

    @property
    def per_s(self) -> float:
        """Events drained in a second, the median of the rounds."""
        return statistics.median(self.rates)


def log_to(path: Path) -> None:
    """Write the log lines that a service writes, but into a file."""
    telemetry.configure("bench", "", "INFO")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(path.open("w"))


async def measure(servers: Servers) -> list[Side]:
    sides = [Side(name) for name in SIDES]
    for turn in range(ROUNDS):
        # The order rotates, so that a disturbance affects all of them.
        for side in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
            backlog = BACKLOG // 10 if side.name in SLOW else BACKLOG
            outcome: Outcome = await SIDES[side.name](servers, single=SINGLE, backlog=backlog)
            side.latencies_s.append(outcome.latencies_s)
            side.rates.append(backlog / outcome.drained_s)
            print(f"{side.name}: {side.rates[-1]:.0f} events/s", file=sys.stderr, flush=True)
    return sides


def report(sides: Sequence[Side]) -> int:
    print(f"{SINGLE} events one by one, then a backlog of {BACKLOG}; medians of {ROUNDS} rounds\n")
    rows = [[side.name, side.quantile_ms(50), side.quantile_ms(99), side.per_s] for side in sides]
    show(["", "p50 ms", "p99 ms", "drained events/s"], rows)
    of = {side.name: side for side in sides}
    assay, bare = of["assay, inbox"], of["nats-py, inbox"]
    return verdict(
        "bus",
        [
            Ratio("p99 with the inbox of nats-py's", assay.quantile_ms(99) / bare.quantile_ms(99), 2.0, 1.0, most=True),
            Ratio("drain with the inbox of nats-py's", assay.per_s / bare.per_s, 0.5, 0.8),
        ],
    )


def main() -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nats, mongo = free_port(), free_port()
        settings = folder / "nats.conf"
        settings.write_text(
            f'listen: "127.0.0.1:{nats}"\njetstream {{ store_dir: "{folder}/js", max_file_store: 4GB }}\n'
        )
        stack.enter_context(running([_BIN / "nats-server", "-c", settings], nats))
        files = ["--data-dir", folder / "data", "--pid-file", folder / "pid", "--log-file", folder / "log"]
        stack.enter_context(running([_BIN / "nx-27017", "-p", str(mongo), *files], mongo))
        log_to(folder / "log.jsonl")
        servers = Servers(f"nats://127.0.0.1:{nats}", f"mongodb://127.0.0.1:{mongo}")
        return report(asyncio.run(measure(servers)))


if __name__ == "__main__":
    sys.exit(main())
