"""Which parameters a job trains, and by which method: asked for, or decided with a reason."""

import math
from typing import Literal

from services.trainer.domain.errors import PlanRefused
from shared.events import Hyperparameters, Value

Kind = Literal["lora", "freeze", "full"]

_RANK = 8
_SCALE = 2
_FREEZE_SHARE = 0.15
_LORA_ONLY = ("lora_rank", "lora_alpha", "lora_targets", "use_dora", "use_rslora")


class Tuning(Value):
    """`lora` trains small matrices beside the linear layers, `freeze` the last `blocks`, `full` everything.

    `rank`, `alpha`, `targets`, `dora`, `rslora` and `over_whole` are LoRA's; `targets` is `all-linear`, `attention`,
    `mlp`, or names of linear layers with commas between. `over_whole`: it lies over a whole model of an earlier job.
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
        """Whether a checkpoint is published as an adapter, and not merged into a whole model.

        No engine serves DoRA's, which are a direction and a length for each row of the weights, as adapters; and no
        pool has the base of one that lies over a model of an earlier job.
        """
        return self.kind == "lora" and not self.dora and not self.over_whole

    @property
    def published_as(self) -> Kind:
        """`lora` for an adapter; a whole model is called by how it was made, a merged one `full`."""
        return "full" if self.kind == "lora" and not self.makes_an_adapter else self.kind


def decide_tuning(
    asked: Hyperparameters, blocks: int, reasons: dict[str, str], earlier: Tuning | None = None
) -> Tuning:
    """How to train a base model of so many blocks; raises `PlanRefused` for options that do not go together.

    `earlier` made the checkpoint that the run starts from: it goes on in the same way, or another method comes on top.
    """
    if earlier is None:
        return _chosen(asked, blocks, reasons)
    if asked.tuning in (None, earlier.kind):
        return _as_before(asked, earlier, reasons)
    if asked.start_optimizer:
        message = f"start_optimizer: what the optimizer of {earlier.kind} has is not for what {asked.tuning} trains"
        raise PlanRefused("invalid_hyperparameter", message, "start_optimizer")
    tuning = _chosen(asked, blocks, reasons)
    return tuning.model_copy(update={"over_whole": tuning.kind == "lora"})


def _chosen(asked: Hyperparameters, blocks: int, reasons: dict[str, str]) -> Tuning:
    kind = asked.tuning or "lora"
    if asked.tuning is None:
        reasons["tuning"] = "lora: learns what a few thousand rows teach, in a small part of the memory and disk"
    if kind == "lora":
        _refuse(asked, ("freeze_blocks",), kind)
        return _lora(asked, reasons)
    _refuse(asked, _LORA_ONLY, kind)
    if kind == "full":
        _refuse(asked, ("freeze_blocks",), kind)
        return Tuning(kind="full")
    return Tuning(kind="freeze", blocks=_last_blocks(asked, blocks, reasons))


def _as_before(asked: Hyperparameters, earlier: Tuning, reasons: dict[str, str]) -> Tuning:
    had = {"tuning": earlier.kind, "lora_rank": earlier.rank, "lora_alpha": earlier.alpha}
    had |= {"lora_targets": earlier.targets, "use_dora": earlier.dora, "use_rslora": earlier.rslora}
    for name, value in {**had, "freeze_blocks": earlier.blocks}.items():
        if getattr(asked, name) not in (None, value):
            message = f"{name} is {getattr(asked, name)}, but {value} in the job that this one starts from"
            raise PlanRefused("invalid_hyperparameter", message, name)
    reasons["tuning"] = f"{earlier.kind}: as the checkpoint that it starts from was made"
    return earlier


def _lora(asked: Hyperparameters, reasons: dict[str, str]) -> Tuning:
    rank, rslora = asked.lora_rank or _RANK, bool(asked.use_rslora)
    if asked.lora_rank is None:
        reasons["lora_rank"] = f"{rank} holds what some thousand rows teach, in about 1 to 2 % of the parameters"
    # LoRA multiplies by alpha / rank, rank-stabilized LoRA (Kalajdzievski, 2023) by alpha / sqrt(rank).
    alpha = asked.lora_alpha or round(_SCALE * (math.sqrt(rank) if rslora else rank))
    if asked.lora_alpha is None:
        reasons["lora_alpha"] = f"{alpha}: what is learned counts {_SCALE} times, whatever the rank"
    if asked.lora_targets is None:
        reasons["lora_targets"] = "all-linear: at the same size it learns more than attention alone"
    targets = asked.lora_targets or "all-linear"
    return Tuning(rank=rank, alpha=alpha, targets=targets, dora=bool(asked.use_dora), rslora=rslora)


def _last_blocks(asked: Hyperparameters, blocks: int, reasons: dict[str, str]) -> int:
    if asked.freeze_blocks is None:
        chosen = max(1, math.ceil(blocks * _FREEZE_SHARE))
        reasons["freeze_blocks"] = f"the last {chosen} of {blocks}: 10 to 20 % of the parameters learn"
        return chosen
    if asked.freeze_blocks > blocks:
        message = f"freeze_blocks is {asked.freeze_blocks}, and the base model has {blocks} blocks"
        raise PlanRefused("invalid_hyperparameter", message, "freeze_blocks")
    return asked.freeze_blocks


def _refuse(asked: Hyperparameters, names: tuple[str, ...], kind: Kind) -> None:
    for name in names:
        if getattr(asked, name) is not None:
            raise PlanRefused(
                "invalid_hyperparameter", f"{name} means nothing with tuning {kind!r}: leave it out", name
            )
