"""What happened to a run besides its steps, as flags on its curve."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.trainer.domain.training_run import TrainingRun


@dataclass(frozen=True)
class Flag:
    """A mark at a step. `name` picks its words, `role` its colour."""

    step: int
    name: str
    role: str


_ROLES: Mapping[str, str] = {"crash": "bad", "outage": "bad", "pause": "ink", "trainer_left": "ink"}


def flags_of(run: TrainingRun, last_step: int) -> list[Flag]:
    """By step: interruptions, the best checkpoint, and an early stop."""
    return sorted(_flags(run, last_step), key=lambda flag: flag.step)


def _flags(run: TrainingRun, last_step: int) -> Iterator[Flag]:
    for interruption in run.interruptions:
        yield Flag(interruption.step, interruption.cause, _ROLES[interruption.cause])
    if run.best_step:
        yield Flag(run.best_step, "best" if run.ended else "best_so_far", "cand")
    if stop := run.auto_stop:
        # From here on the learning rate is lowered to zero.
        yield Flag(stop.step, "slows_down", "warn")
    if run.stop_reason and last_step:
        yield Flag(last_step, "stopped_early", "warn")
