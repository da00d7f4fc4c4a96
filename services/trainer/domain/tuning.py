"""Tuning: which parameters a job trains, and by which method."""

import math
from collections.abc import Mapping
from typing import Literal

from services.trainer.domain.errors import PlanRefused
from shared.events import Hyperparameters, Value

Kind = Literal["lora", "freeze", "full"]

_NAMES: Mapping[Kind, str] = {"lora": "LoRA", "freeze": "the last blocks", "full": "all weights"}
_RANK = 8
_SCALE = 2
_FREEZE_SHARE = 0.15
_LORA_ONLY = ("lora_rank", "lora_alpha", "lora_targets", "use_dora", "use_rslora")


class Tuning(Value):
    """`lora` trains small matrices beside the linear layers, `freeze` the last `blocks`, `full` everything.

    `rank`, `alpha`, `targets`, `dora`, `rslora` and `over_whole` belong to LoRA. `targets` is `all-linear`,
    `attention`, `mlp`, or names of linear layers separated by commas. `over_whole`: the adapter was trained over the
    whole model of an earlier job.
    """

    kind: Kind = "lora"
    rank: int = 0
    alpha: int = 0
    targets: str = "all-linear"
    dora: bool = False
    rslora: bool = False
    over_whole: bool = False
    blocks: int = 0

    @property
    def makes_an_adapter(self) -> bool:
        """Whether a checkpoint is published as an adapter; otherwise it is merged into a whole model.

        Engines do not serve DoRA adapters, and no pool has the base of an adapter over an earlier job's model.
        """
        return self.kind == "lora" and not self.dora and not self.over_whole

    @property
    def published_as(self) -> Kind:
        """`lora` for an adapter, `full` for a merged model, else the kind."""
        return "full" if self.kind == "lora" and not self.makes_an_adapter else self.kind


def decide_tuning(
    asked: Hyperparameters, blocks: int, reasons: dict[str, str], earlier: Tuning | None = None
) -> Tuning:
    """The tuning of a base model with so many blocks; raises `PlanRefused` for contradicting options.

    `earlier` made the checkpoint that the run starts from: the run continues it, or adds another method to its model.
    """
    if earlier is None:
        return _new_tuning(asked, blocks, reasons)
    if asked.tuning in (None, earlier.kind):
        return _continued(asked, earlier, reasons)
    if asked.start_optimizer:
        message = f"start_optimizer: the optimizer state of {earlier.kind} does not fit {asked.tuning}"
        raise PlanRefused("invalid_hyperparameter", message, "start_optimizer")
    tuning = _new_tuning(asked, blocks, reasons)
    return tuning.model_copy(update={"over_whole": tuning.kind == "lora"})


def _new_tuning(asked: Hyperparameters, blocks: int, reasons: dict[str, str]) -> Tuning:
    kind = asked.tuning or "lora"
    if asked.tuning is None:
        reasons["tuning"] = f"{_NAMES[kind]}: it learns from a few thousand rows with little memory and disk"
    if kind == "lora":
        _refuse(asked, ("freeze_blocks",), kind)
        return _lora(asked, reasons)
    _refuse(asked, _LORA_ONLY, kind)
    if kind == "full":
        _refuse(asked, ("freeze_blocks",), kind)
        return Tuning(kind="full")
    return Tuning(kind="freeze", blocks=_last_blocks(asked, blocks, reasons))


def _continued(asked: Hyperparameters, earlier: Tuning, reasons: dict[str, str]) -> Tuning:
    before = {"tuning": earlier.kind, "lora_rank": earlier.rank, "lora_alpha": earlier.alpha}
    before |= {"lora_targets": earlier.targets, "use_dora": earlier.dora, "use_rslora": earlier.rslora}
    for name, value in {**before, "freeze_blocks": earlier.blocks}.items():
        if getattr(asked, name) not in (None, value):
            message = f"{name} is {getattr(asked, name)}, but {value} in the job that this job starts from"
            raise PlanRefused("invalid_hyperparameter", message, name)
    reasons["tuning"] = f"{_NAMES[earlier.kind]}: like the checkpoint that it starts from"
    return earlier


def _lora(asked: Hyperparameters, reasons: dict[str, str]) -> Tuning:
    rank, rslora = asked.lora_rank or _RANK, bool(asked.use_rslora)
    if asked.lora_rank is None:
        reasons["lora_rank"] = f"{rank}: enough for some thousand rows, with about 1 to 2 % of the parameters"
    # LoRA multiplies by alpha / rank, rank-stabilized LoRA (Kalajdzievski, 2023) by alpha / sqrt(rank).
    alpha = asked.lora_alpha or round(_SCALE * (math.sqrt(rank) if rslora else rank))
    if asked.lora_alpha is None:
        reasons["lora_alpha"] = f"{alpha}: scales the update by {_SCALE} at any rank"
    if asked.lora_targets is None:
        reasons["lora_targets"] = "all-linear: learns more than attention layers alone at the same size"
    targets = asked.lora_targets or "all-linear"
    return Tuning(rank=rank, alpha=alpha, targets=targets, dora=bool(asked.use_dora), rslora=rslora)


def _last_blocks(asked: Hyperparameters, blocks: int, reasons: dict[str, str]) -> int:
    if asked.freeze_blocks is None:
        chosen = max(1, math.ceil(blocks * _FREEZE_SHARE))
        reasons["freeze_blocks"] = f"the last {chosen} of {blocks}: 10 to 20 % of the parameters are trained"
        return chosen
    if asked.freeze_blocks > blocks:
        message = f"freeze_blocks is {asked.freeze_blocks}, but the base model has only {blocks} blocks"
        raise PlanRefused("invalid_hyperparameter", message, "freeze_blocks")
    return asked.freeze_blocks


def _refuse(asked: Hyperparameters, names: tuple[str, ...], kind: Kind) -> None:
    for name in names:
        if getattr(asked, name) is not None:
            raise PlanRefused("invalid_hyperparameter", f"{name} does not apply to tuning {kind!r}: leave it out", name)
