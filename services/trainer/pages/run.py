"""One run: what it is about to do, does or did, with its curve."""

import time
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from markupsafe import Markup

from services.trainer.domain.curve.diagnosis import diagnose
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages import PAGES
from services.trainer.pages.loss_panel import Losses, LossWords, loss_panel, small_curve
from services.trainer.service.curve_cache import CurveCache
from services.trainer.service.run_store import RunStore
from shared.events import TrainingMetrics
from shared.security import Key
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]
SMALL = ("learning_rate", "grad_norm", "tokens_per_s", "memory_bytes")


@get("/jobs/{job_id:str}")
async def run_page(
    request: AnyRequest, job_id: FromPath[str], store: NamedDependency[RunStore], curves: NamedDependency[CurveCache]
) -> Response[bytes]:
    """The page."""
    run = await _run(store, job_id, request.state.key)
    return PAGES.page(request, "run.html.j2", at="train", out_of_band=False, **_values(run, await curves.curve(job_id)))


@get("/jobs/{job_id:str}/live")
async def run_live(
    request: AnyRequest, job_id: FromPath[str], store: NamedDependency[RunStore], curves: NamedDependency[CurveCache]
) -> Response[bytes]:
    """What changes while it trains."""
    run = await _run(store, job_id, request.state.key)
    return PAGES.fragment(request, "run_live.html.j2", out_of_band=True, **_values(run, await curves.curve(job_id)))


async def _run(store: RunStore, job_id: str, key: Key) -> TrainingRun:
    found = await store.runs.get(job_id)
    # Returns 404 for runs of other keys.
    if found is None or not key.owns(found.request.owner):
        raise NotFound(f"there is no run {job_id!r}")
    return found


def _values(run: TrainingRun, curve: Sequence[TrainingMetrics]) -> dict[str, Any]:
    losses = Losses.of(curve)

    def picture(**words: str) -> Markup:
        return loss_panel(run, losses, LossWords(**words))

    return {
        "run": run,
        "losses": losses,
        "picture": picture if losses.smoothed else None,
        "small": {name: small_curve(curve, name) for name in SMALL},
        "diagnoses": diagnose(curve),
        "last": curve[-1] if curve else None,
        "ends_at": _expected_end(run, losses.last_step, time.time()),
    }


def _expected_end(run: TrainingRun, step: int, now: float) -> float | None:
    """By the mean pace so far, without pauses; None while nothing is known or nothing is left."""
    if run.status != "running" or run.plan is None or run.started_at is None or step < 2:
        return None
    trained_s = now - run.started_at - run.paused_s
    return now + trained_s / step * (run.plan.total_steps - step)
