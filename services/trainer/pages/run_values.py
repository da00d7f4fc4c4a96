"""What the templates of a run show."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from services.trainer.domain.curve.diagnosis import diagnose_run
from services.trainer.domain.curve.losses import Losses
from services.trainer.domain.remaining_time import estimated_end
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages.loss_panel import LossWords, loss_panel, small_curve
from services.trainer.pages.reactions import flags_of
from shared.events import TrainingMetrics

SMALL = ("learning_rate", "grad_norm", "tokens_per_s", "memory_bytes")
SHOWN_CHECKPOINTS = 12


def run_values(run: TrainingRun, curve: Sequence[TrainingMetrics], losses: Losses) -> dict[str, Any]:
    """The variables of `run.html.j2` and its parts."""

    def picture(flags: Mapping[str, str], **words: str) -> Markup:
        return loss_panel(run, losses, LossWords(flags=flags, **words))

    return {
        "run": run,
        "losses": losses,
        "picture": picture if losses.smoothed else None,
        "small": {name: small_curve(curve, name) for name in SMALL},
        "diagnoses": diagnose_run(run, curve),
        "flags": flags_of(run, losses.last_step),
        "checkpoints": run.checkpoints[-SHOWN_CHECKPOINTS:],
        "ends_at": _estimated_end(run, losses.last_step),
    }


def _estimated_end(run: TrainingRun, step: int) -> int | None:
    """As in the run's progress events; None unless it trains."""
    if run.status != "running" or run.plan is None:
        return None
    last_step = run.auto_stop.last_step if run.auto_stop else run.plan.total_steps
    return estimated_end(run.began, step, last_step, time.time())
