"""The models of a comparison as a page shows them: name, colour and mark."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.evaluator.comparison.service import CompleteComparison
from shared.events import Candidate

MAX_SHOWN = 6
MOST_BARS = 5
MOST_IN_RADAR = 3
Kind = Literal["base", "production", "checkpoint", "model"]
# The model that is looked at has the colour of the candidate; the others have the remaining roles.
_ROLES = ("cand", "x2", "x1", "gen", "train", "ink")
_JOB_HINT_LENGTH = 12


@dataclass(frozen=True)
class ShownModel:
    """A model of the comparison; `name` is that of the API.

    `checkpoint` is set if the model is one; `job_hint` is then the beginning of its job's id if another checkpoint of
    the comparison has the same stable name and step. `detail` says which weights answered.
    """

    name: str
    kind: Kind
    role: str
    checkpoint: Candidate | None
    job_hint: str
    detail: str


def shown_models(found: CompleteComparison, looked_at: str, *, checkpoints: bool) -> list[ShownModel]:
    """Each model with a role of its own; without `checkpoints`, names are those that a request gave to its models."""
    free = list(_ROLES[1:])
    hints = job_hints(found.candidates)
    shown: list[ShownModel] = []
    for name in found.figures.models:
        candidate = found.candidates.get(name)
        kind = "checkpoint" if candidate else _kind(name, checkpoints=checkpoints)
        if name == looked_at and kind in ("checkpoint", "model"):
            role = _ROLES[0]
        else:
            role = {"base": "base", "production": "prod"}.get(kind) or free.pop(0)
        shown.append(ShownModel(name, kind, role, candidate, hints.get(name, ""), found.figures.details.get(name, "")))
    return shown


def job_hints(candidates: Mapping[str, Candidate]) -> dict[str, str]:
    """The beginning of the job's id, for checkpoints that share stable name and step."""
    counts = Counter((each.suffix, each.step) for each in candidates.values())
    return {
        name: each.job_id[:_JOB_HINT_LENGTH] for name, each in candidates.items() if counts[each.suffix, each.step] > 1
    }


def _kind(name: str, *, checkpoints: bool) -> Kind:
    if checkpoints and name == "base":
        return "base"
    return "production" if checkpoints and name == "production" else "model"
