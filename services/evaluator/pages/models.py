"""The models of a comparison as a page shows them: name, colour and mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_SHOWN = 6
MOST_BARS = 5
MOST_IN_RADAR = 3
Kind = Literal["base", "production", "checkpoint", "model"]
# The model that is looked at has the colour of the candidate; the others have the remaining roles.
_ROLES = ("cand", "x2", "x1", "gen", "train", "ink")


@dataclass(frozen=True)
class ShownModel:
    """A model of the comparison; `name` is that of the API, `label` and `of` are a checkpoint's step and job."""

    name: str
    kind: Kind
    role: str
    label: str
    of: str
    detail: str


def shown_models(
    names: Sequence[str], details: dict[str, str], looked_at: str, *, checkpoints: bool
) -> list[ShownModel]:
    """Each model with a role of its own; without `checkpoints`, names are those that a request gave to its models."""
    free = list(_ROLES[1:])
    found: list[ShownModel] = []
    for name in names:
        kind = _kind(name, checkpoints=checkpoints)
        if name == looked_at and kind in ("checkpoint", "model"):
            role = _ROLES[0]
        else:
            role = {"base": "base", "production": "prod"}.get(kind) or free.pop(0)
        job, _, step = name.rpartition("/") if kind == "checkpoint" else ("", "", name)
        found.append(ShownModel(name, kind, role, step, job, details.get(name, "")))
    return found


def _kind(name: str, *, checkpoints: bool) -> Kind:
    if not checkpoints:
        return "model"
    if name == "base":
        return "base"
    return "production" if name == "production" else "checkpoint"
