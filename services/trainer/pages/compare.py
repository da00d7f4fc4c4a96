"""Several runs on one page: their curves on one axis, and what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import Parameter
from markupsafe import Markup

from services.trainer.domain.curve.losses import Losses
from services.trainer.domain.training_run import TrainingRun
from services.trainer.pages import PAGES
from services.trainer.pages.own_run import own_run
from services.trainer.service.curve_cache import CurveCache
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_store import RunStore
from shared.pages.run_panel import RunPanel, round_ticks, thinned
from shared.security import Key

AnyRequest = Request[Any, Any, Any]
MOST_RUNS = 6
ROLES = ("cand", "x1", "x2", "prod", "gen", "base")
_OFFERED = 25


@dataclass(frozen=True)
class Compared:
    """One run; `role` is its colour."""

    run: TrainingRun
    losses: Losses
    role: str

    @property
    def best_validation(self) -> tuple[int, float] | None:
        """The step with the lowest validation loss."""
        return min(self.losses.valid, key=lambda point: point[1], default=None)


@get("/compare")
async def compare(
    request: AnyRequest,
    store: NamedDependency[RunStore],
    curves: NamedDependency[CurveCache],
    options: NamedDependency[JobOptions],
    job: Annotated[list[str] | None, Parameter(max_items=MOST_RUNS)] = None,
) -> Response[bytes]:
    """The runs that the address names, the first ones of them in the order of their names."""
    key: Key = request.state.key
    chosen = list(dict.fromkeys(name for name in job or () if name))
    runs = [await own_run(store, job_id, key) for job_id in chosen]
    compared = [Compared(run, (await curves.curve(run)).losses, role) for run, role in zip(runs, ROLES, strict=False)]
    offered = await store.newest(_OFFERED, None if key.allows("admin") else key.person)
    values: dict[str, Any] = {
        "filenames": await options.filenames(run.request.training_file for run in runs),
        "compared": compared,
        "offered": [run for run in offered if run.id not in chosen and run.plan],
        "most": MOST_RUNS,
        "picture": _picture(compared) if any(each.losses.smoothed for each in compared) else None,
    }
    return PAGES.page(request, "compare.html.j2", at="train", **values)


def _picture(compared: Sequence[Compared]) -> Any:
    def draw(title: str, description: str, measured: str, steps: str, unnamed: str) -> Markup:
        values = [value for each in compared for _, value in (*each.losses.smoothed, *each.losses.valid)]
        low, high = min(values), max(values)
        total = max(each.losses.last_step for each in compared)
        panel = RunPanel(
            total, max(0.0, low - 0.1 * (high - low)), high + 0.05 * (high - low) or 1.0, top=28, bottom=306
        )
        panel.grid(round_ticks(panel.low, panel.high))
        for each in compared:
            panel.line(thinned(each.losses.smoothed), each.role, 1, 'opacity=".55"')
            panel.line(thinned(each.losses.valid), each.role, 2)
            panel.squares(thinned(each.losses.valid, 60), each.role)
            if last := (each.losses.valid or each.losses.smoothed)[-1:]:
                panel.label(last[0][1], each.role, each.run.request.spec.suffix or unnamed, f"{last[0][1]:.3f}")
        panel.note(measured)
        panel.axis([0, total], unit=steps)
        return panel.svg(title, description, "compared")

    return draw
