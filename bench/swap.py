"""`make bench-swap`: deployments under a steady load on real vLLM, beside a restart of vLLM in the same run.

First adapters on an engine that serves many, then whole weights on an engine that serves one version, then the speed of
both in turns. Approvals of adapters arrive as in the product: by rules, some time after the end of the training, or by
people, some time after the review opened. Every fifth is unannounced, as for a gateway that has just started. Options:
`--adapters N`, `--weights N` (deployments, 100 and 20), `--steady-s S`; `--busy-percent P`: another process uses
P percent of one core; `--set-up` only trains the versions.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from bench import gateways
from bench.busy_core import busy_core
from bench.gateways import Gateway
from bench.side_by_side import Ratio, free_port, show, verdict
from bench.swap_engine import LONGEST_START_S, engine
from bench.swap_load import Answer, Load, stream
from bench.swap_pace import APART, MERGED, paces
from bench.swap_versions import WORDS, made_once, publish
from deploy.local import processor, vllm
from shared.cloudevents import EventData
from shared.events import Candidate, ReviewOpened, TrainingFinished

ALIAS = "support"
WARM_UP_S = 10.0
# Between two deployments, so that the load is steady again.
PAUSE_S = 0.5
# Scoring the last checkpoint of a training, or a review by people, takes longer than this.
AHEAD_S = 1.5
BY_RULES, BY_PEOPLE, UNANNOUNCED = "by rules", "by people", "unannounced"
WAYS = {"adapters": (BY_RULES, BY_PEOPLE, BY_RULES, BY_PEOPLE, UNANNOUNCED), "weights": (BY_RULES,)}
# Interval of polling the alias; each poll also uses the engine's cores.
POLL_S = 0.05


@dataclass
class Seen:
    """Deployments of one kind, and what the load observed."""

    kind: str
    to_token_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Seconds from the approval to the new version's first token, by the way of approval."""
    deployed: dict[str, str] = field(default_factory=dict[str, str])
    """The word that each version answers with."""
    named_at: dict[str, float] = field(default_factory=dict[str, float])
    """When the alias was first seen to mean each version, in order."""
    restart_s: float = 0.0
    steady_p99_s: float = 0.0
    steady_tokens_per_s: float = 0.0
    worst_gap_s: float = 0.0
    stolen_s: float = 0.0
    """CPU time of all cores that the virtual machine's host took during the deployments."""
    answers: int = 0
    failures: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    def is_right(self, answer: Answer) -> bool:
        """Whether the answer is wholly from the version it names, and no later one was named before the request."""
        versions = list(self.named_at)
        later = versions[versions.index(answer.version) + 1 :]
        stale = any(self.named_at[version] < answer.asked_at for version in later)
        return not stale and answer.is_of(self.deployed[answer.version])

    @property
    def row(self) -> list[object]:
        counts = [sum(map(len, self.to_token_s.values())), len(self.failures), len(self.wrong)]
        gaps = [self.steady_p99_s * 1e3, self.worst_gap_s * 1e3]
        return [self.kind, counts[0], self.answers, *counts[1:], self.steady_tokens_per_s, *gaps, self.stolen_s]

    @property
    def waits(self) -> list[list[object]]:
        """By way of approval: number, median and longest wait for a token, and that of a restart."""
        return [
            [f"{self.kind}, {way}", len(some), statistics.median(some), max(some), self.restart_s]
            for way, some in self.to_token_s.items()
        ]


def main() -> int:
    asked = _options()
    base, made = made_once()
    if asked.set_up:
        return 0
    kinds = {"adapters": asked.adapters, "weights": asked.weights}
    amx = not processor.faults_on_amx()
    with busy_core(asked.busy_percent):
        seen = [measure(kind, swaps, asked.steady_s, base, made, amx) for kind, swaps in kinds.items() if swaps]
    return report(seen, paces(base, made, amx, asked.steady_s) if len(seen) == len(kinds) else None)


def measure(kind: str, swaps: int, steady_s: float, base: Path, made: Path, amx: bool) -> Seen:
    """Start an engine and a gateway, deploy versions, and restart the engine at the end."""
    seen, port = Seen(kind), free_port()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as started:

        def start() -> None:
            started.close()
            started.enter_context(engine(base, port, amx, adapters=kind == "adapters"))

        start()
        pool = base.name if kind == "adapters" else f"{base.name}@{ALIAS}"
        pools = {pool: [f"http://127.0.0.1:{port}"]}
        with gateways.gateway(pools, Path(scratch), prepare_share=vllm.OTHERS_SHARE) as gateway:
            asyncio.run(_swap(seen, gateway, swaps, steady_s, base, made, start))
    return seen


async def _swap(
    seen: Seen, gateway: Gateway, swaps: int, steady_s: float, base: Path, made: Path, restart: Callable[[], None]
) -> None:
    load, stop = Load(gateway.url, gateway.key, ALIAS), asyncio.Event()
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120))
    # A checkpoint is in the store long before it is approved.
    versions = [_published(seen, gateway, base, made, number) for number in range(1 + swaps)]
    async with session, gateway.publisher() as send_event:
        swap = Swap(seen, gateway, session, send_event)
        await swap.to(versions[0])
        loading = asyncio.create_task(load.run(session, stop))
        await asyncio.sleep(WARM_UP_S)
        began_at = time.monotonic()
        await asyncio.sleep(steady_s)
        swapped_at, stolen_s = time.monotonic(), psutil.cpu_times().steal
        for number, version in enumerate(versions[1:]):
            way = WAYS[seen.kind][number % len(WAYS[seen.kind])]
            await swap.announce(version, way)
            seen.to_token_s.setdefault(way, []).append(await swap.to(version))
            await asyncio.sleep(PAUSE_S)
        ended_at, seen.stolen_s = time.monotonic(), psutil.cpu_times().steal - stolen_s
        # Failures during the restart do not count.
        seen.failures = list(load.failures)
        seen.restart_s = await swap.restarted(restart)
        stop.set()
        await loading
    seen.steady_p99_s = statistics.quantiles(load.gaps_s(began_at, swapped_at), n=100)[98]
    seen.steady_tokens_per_s = load.tokens_per_s(began_at, swapped_at)
    seen.worst_gap_s = max(load.gaps_s(swapped_at, ended_at))
    seen.answers = len(load.answers)
    seen.wrong = [f"{answer.version}: {answer.text!r}" for answer in load.answers if not seen.is_right(answer)]


def _published(seen: Seen, gateway: Gateway, base: Path, made: Path, number: int) -> Candidate:
    # Every other version of whole weights is published as a whole model, the rest as adapters that are merged first.
    whole = seen.kind == "weights" and number % 2 == 1
    candidate = publish(gateway.artifacts, base.name, made, number, ALIAS, whole=whole)
    seen.deployed[candidate.version] = WORDS[number % len(WORDS)]
    return candidate


@dataclass(frozen=True)
class Swap:
    """Deploys one version after another and measures it."""

    seen: Seen
    gateway: Gateway
    session: aiohttp.ClientSession
    send_event: Callable[[EventData], Awaitable[None]]

    async def announce(self, made: Candidate, way: str) -> None:
        """Publish the events that precede the approval."""
        if way == BY_RULES:
            await self.send_event(gateways.saved(made))
            await self.send_event(TrainingFinished(job_id=made.job_id, status="succeeded", checkpoints=(made.step,)))
        elif way == BY_PEOPLE:
            await self.send_event(ReviewOpened(review_id=made.job_id, candidate=made, items=20, reviewers_wanted=1))
        if way != UNANNOUNCED:
            await asyncio.sleep(AHEAD_S)

    async def to(self, candidate: Candidate) -> float:
        """Seconds from the approval of a version to its first token, for a request sent once the alias means it."""
        began_at = time.monotonic()
        await self.send_event(gateways.approved(candidate))
        await self.gateway.wait_for_version(self.session, ALIAS, candidate.version, POLL_S)
        self.seen.named_at[candidate.version] = time.monotonic()
        answer = await stream(self.session, self.gateway.url, self.gateway.key, ALIAS, 1)
        assert answer.version == candidate.version, f"{answer.version} answers after {candidate.version} was named"
        return answer.times[0] - began_at

    async def restarted(self, restart: Callable[[], None]) -> float:
        """Seconds from the end of the engine to the first token after its restart, under the same load."""
        began_at = time.monotonic()
        await asyncio.to_thread(restart)
        async with asyncio.timeout(LONGEST_START_S):
            while True:
                try:
                    answer = await stream(self.session, self.gateway.url, self.gateway.key, ALIAS, 1)
                except RuntimeError:
                    await asyncio.sleep(POLL_S)
                else:
                    return answer.times[0] - began_at


def report(seen: Sequence[Seen], pace: Mapping[str, Sequence[float]] | None) -> int:
    """Print the tables, the errors and the verdict."""
    columns = ["", "swaps", "answers", "failed", "mixed or stale", "tokens/s streamed"]
    columns += ["gap p99 ms", "worst gap ms", "stolen s"]
    show(columns, [each.row for each in seen])
    waits = ["approved", "swaps", "event to token s", "slowest s", "restart of vLLM s"]
    show(waits, [row for each in seen for row in each.waits])
    for each in seen:
        for trouble in [*each.failures, *each.wrong][:10]:
            print(f"{each.kind}: {trouble}")
    ratios = [
        ratio
        for each in seen
        for ratio in (
            Ratio(f"{each.kind}: failures", len(each.failures), must=0, aim=0, most=True),
            Ratio(f"{each.kind}: mixed or stale answers", len(each.wrong), must=0, aim=0, most=True),
            Ratio(f"{each.kind}: worst gap of p99", each.worst_gap_s / each.steady_p99_s, must=3, aim=3, most=True),
        )
    ]
    for each in seen:
        for way, times_s in each.to_token_s.items():
            # No limit for whole weights (they wait for running answers) and for unannounced versions (they load first).
            must = 50 if each.kind == "adapters" and way != UNANNOUNCED else 1
            name = f"{each.kind}, {way}: event to token, times faster than a restart"
            ratios.append(Ratio(name, each.restart_s / statistics.median(times_s), must=must, aim=100))
    if pace:
        rows = [[f"adapter {kind}", *turns] for kind, turns in pace.items()]
        show(["tokens/s in whole answers, by turns", *map(str, range(1, 1 + len(pace[APART])))], rows)
        faster = statistics.median(pace[MERGED]) / statistics.median(pace[APART])
        ratios.append(Ratio("tokens/s of merged weights to adapters", faster, must=2.5, aim=3))
    figures = {each.kind: each.row[1:] for each in seen}
    return verdict("swap", ratios, columns=columns[1:], figures=figures, tokens_per_s=pace)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapters", type=int, default=100)
    parser.add_argument("--weights", type=int, default=20)
    parser.add_argument("--steady-s", type=float, default=20.0)
    parser.add_argument("--busy-percent", type=float, default=0.0)
    parser.add_argument("--set-up", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
