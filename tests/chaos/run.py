"""One run of faults under load, in rounds, with the checks after each round."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats

from shared import topology
from tests.chaos import line as lines
from tests.chaos.checks import Checks
from tests.chaos.injector import Injector
from tests.chaos.line import Line
from tests.chaos.load import ALIASES, Load
from tests.chaos.played_trainer import PlayedTrainer, made_up_adapter, publish
from tests.chaos.schedule import schedule
from tests.chaos.settling import Settling
from tests.chaos.stored_events import StoredEvents
from tests.gateway import approved, candidate

SETTLE_S = 60.0


@dataclass(frozen=True)
class Plan:
    """With `base_model`, the folder of a tiny model, jobs are trained; without, their checkpoints are played.

    With `earlier`, a checkout of an earlier version, the services of both versions run side by side.
    """

    seed: int
    faults: int
    longest_s: float = 8.0
    base_model: Path | None = None
    settle_s: float = SETTLE_S
    round: int = 20
    """After so many faults everything is checked."""
    earlier: Path | None = None


@dataclass
class Report:
    """The figures of a run; `findings` are the broken promises."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    uploads: int = 0
    jobs: int = 0
    answers: int = 0
    events: int = 0
    settled_after_s: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "faults": dict(self.faults)}


async def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Report:
    """Inject the faults of the plan; ends with the first round that breaks a promise."""
    line = lines.make(folder, plan.base_model, plan.earlier)
    async with lines.started(line):
        say(str(line.disk))
        options = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.5, "error_cb": _expected}
        connection = await nats.connect(line.settings.nats_url, **options)
        try:
            return await _rounds(plan, line, connection, say)
        finally:
            await connection.close()


async def _rounds(plan: Plan, line: Line, connection: Any, say: Callable[[str], None]) -> Report:
    chance, report = random.Random(plan.seed), Report(plan.seed)
    consumers = [each.name for each in topology.CONSUMERS if each.service in line.services]
    faults = schedule(plan.seed, plan.faults, tuple(line.services), consumers, plan.longest_s)
    events = StoredEvents(connection)
    load = Load(line, chance, events)
    injector = Injector(line, connection, chance, say, done=report.faults)
    await load.prepare()
    for alias in ALIASES:
        first = candidate(f"ftjob-first-{alias}", adapter=made_up_adapter(line, f"first-{alias}", 1), suffix=alias)
        await publish(connection, approved(first), "review")
    played = PlayedTrainer(line, connection)
    async with (
        played.running() if plan.base_model is None else nullcontext(),
        line.client("gateway", "admin") as gateway,
    ):
        settling = Settling(line, load, events, gateway)
        _, report.findings = await settling.wait(plan.settle_s)
        for first in range(0, len(faults), plan.round):
            async with load.running():
                await injector.inject(faults[first : first + plan.round])
                await load.answered_again(plan.settle_s)
            await _settle(plan, settling, report, say)
            if report.findings:
                break
    return report


async def _settle(plan: Plan, settling: Settling, report: Report, say: Callable[[str], None]) -> None:
    load, events = settling.load, settling.events
    took_s, missing = await settling.wait(plan.settle_s)
    report.settled_after_s.append(round(took_s, 1))
    report.findings += [f"not right after {plan.settle_s:g} s: {each}" for each in missing]
    report.findings += [f"event {sequence} of the stream was lost" for sequence in await events.lost()]
    if dead := await events.dead_letters():
        report.findings.append(f"{dead} dead letters")
    report.findings += Checks(load, events.facts()).findings()
    report.uploads, report.jobs, report.answers = len(load.uploads), len(load.jobs), len(load.answers)
    report.events = len(events.by_sequence)
    say(f"all right after {took_s:.1f} s" if not report.findings else "\n".join(report.findings))


async def _expected(_error: Exception) -> None:
    """The client reports each try to reach a server that is away on purpose."""
