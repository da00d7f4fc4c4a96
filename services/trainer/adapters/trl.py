"""TRL, PEFT and transformers: their names and habits stay in this file."""

import os
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from services.trainer.adapters import training_state
from services.trainer.adapters.answer_loss import answer_loss
from services.trainer.adapters.beginning import with_moments
from services.trainer.adapters.lora_product import fuse
from services.trainer.adapters.packing import can_pack, keep_rows_apart, pack
from services.trainer.adapters.rows import IGNORED, TokenRow
from services.trainer.adapters.tuned_model import leave_the_last, lora_config
from services.trainer.domain.plan import TrainingPlan, row_order

_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "output_multiplier", "lm_head_multiplier")


class AnswerTally:
    """Sums over the answer tokens that were scored since the last `take`."""

    def __init__(self) -> None:
        self._loss = self._correct = self._tokens = 0.0

    def add(self, loss_sum: float, correct: float, tokens: float) -> None:
        self._loss, self._correct, self._tokens = self._loss + loss_sum, self._correct + correct, self._tokens + tokens

    def take(self) -> tuple[float, float, float]:
        """The sums of loss in nats, of right tokens and of tokens; and start again."""
        taken = self._loss, self._correct, self._tokens
        self.__init__()
        return taken


class AnswerTrainer(SFTTrainer):
    """TRL's trainer, scoring answer tokens alone and keeping its state without pickles."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.packs = "data_collator" in settings
        super().__init__(*args, **settings)
        self.tallies = {True: AnswerTally(), False: AnswerTally()}
        """Answer tokens scored while training (True) and while validating (False)."""
        self.moments_from: Path | None = None
        """A checkpoint of an earlier job whose optimizer's state this one begins with."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        loss, right, tokens = self._score(model, inputs)
        self.tallies[self.model.training].add(loss.item(), right.item(), tokens)
        wanted = tokens if num_items_in_batch is None else num_items_in_batch
        loss = loss / torch.as_tensor(wanted, device=loss.device).clamp(min=1)
        if num_items_in_batch is not None:
            # The count covers every process, and the gradients are averaged over them.
            loss = loss * self.accelerator.num_processes
        return (loss, None) if return_outputs else loss

    def _score(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, int]:
        """The answer tokens' summed loss, how many of them were the likeliest, and how many there are."""
        if not self.packs:
            scored = model(**inputs, use_cache=False, fused_lm_head=True)
            return -scored.log_probs.sum(), scored.is_top1.sum(), int(scored.label_mask.sum())
        # TRL's own head, without Triton, scores padding and prompts too, and does so again in the backward pass.
        targets = inputs["shift_labels"]
        answers = targets != IGNORED
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        read = {name: inputs[name] for name in ("input_ids", "position_ids", "row_lengths", "shared")}
        hidden = base.base_model(**read, use_cache=False).last_hidden_state[answers]
        loss, right = answer_loss(hidden, base.get_output_embeddings().weight, targets[answers])
        return loss, right, len(hidden)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints carry no card: the service that publishes a model writes one."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        # LoRA trains no layer of the base model, so none needs a look at a hub whether it was changed.
        only = {"save_embedding_layers": False} if isinstance(self.model, PeftModel) else {}
        self.model.save_pretrained(folder, state_dict=state_dict, **only)
        (folder / "README.md").unlink(missing_ok=True)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """A job that is resumed has its weights from its beginning, as one has that starts from another's checkpoint.

        transformers reads those of a model that processes share in its own format alone.
        """

    def tallied(self, training: bool) -> tuple[float, float] | None:
        """What every process of the job scored since it was last asked: mean loss in nats and share of right tokens."""
        sums = torch.tensor(self.tallies[training].take(), dtype=torch.float64)
        loss, correct, tokens = self.accelerator.reduce(sums, "sum").tolist()
        return (loss / tokens, correct / tokens) if tokens else None

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        training_state.save_optimizer(self.optimizer, Path(output_dir) if self.args.should_save else None)
        if self.args.should_save:
            training_state.save_scheduler(self.lr_scheduler, Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            training_state.load_optimizer(self.optimizer, Path(checkpoint))
            training_state.load_scheduler(self.lr_scheduler, Path(checkpoint))

    def create_scheduler(self, *args: Any, **settings: Any) -> torch.optim.lr_scheduler.LRScheduler:
        if self.moments_from is not None:
            with_moments(self.optimizer, self.moments_from)
        return super().create_scheduler(*args, **settings)

    def _save_rng_state(self, output_dir: str) -> None:
        if self.args.should_save:
            training_state.save_random(Path(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            training_state.load_random(Path(checkpoint))


def sft_config(plan: TrainingPlan, output_dir: Path, bf16: bool, sharded: bool = False) -> SFTConfig:
    """The plan in TRL's words. Row order and the times of checkpoints are the plan's own.

    `sharded`: several processes hold a part of the model each (FSDP), in place of a copy each (DDP).
    """
    return SFTConfig(
        output_dir=str(output_dir),
        max_steps=plan.total_steps,
        per_device_train_batch_size=plan.batch_size // _world_size(),
        per_device_eval_batch_size=max(8, plan.batch_size),
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        weight_decay=0.0,
        max_length=None,
        train_sampling_strategy="sequential",
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=plan.seed,
        bf16=bf16,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,
        **({"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}} if sharded else {}),
    )


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _changes_logits(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    return any(getattr(config, name, None) for name in _LOGIT_CHANGES) or model.get_output_embeddings().bias is not None


def trainer(
    plan: TrainingPlan,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: list[TokenRow],
    validation: list[TokenRow],
    output_dir: Path,
    bf16: bool,
    sharded: bool = False,
) -> AnswerTrainer:
    """A trainer over the whole job's rows in the plan's order."""
    sharded = sharded and _world_size() > 1
    order = row_order([len(row["input_ids"]) for row in train], plan)
    packed = can_pack(model) and not _changes_logits(model) and _world_size() == 1
    if packed:
        keep_rows_apart(model)
    if plan.tuning.kind == "freeze":
        leave_the_last(model, plan.tuning.blocks)
    made = AnswerTrainer(
        model=model,
        args=sft_config(plan, output_dir, bf16, sharded),
        train_dataset=Dataset.from_list(list(train)).select(order),
        eval_dataset=Dataset.from_list(list(validation)) if validation else None,
        processing_class=tokenizer,
        peft_config=lora_config(plan.tuning, model) if plan.tuning.kind == "lora" else None,
        **({"data_collator": pack} if packed else {}),
    )
    if not sharded:
        # Each layer has its weights whole only while it computes by itself.
        fuse(made.model)
    made.remove_callback(PrinterCallback)
    if isinstance(made.model, PeftModel):
        # PEFT writes the folder that it loaded from; a checkpoint names its base model instead.
        made.model.peft_config["default"].base_model_name_or_path = plan.base_model
    return made
