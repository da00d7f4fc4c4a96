"""Builds a trainer for a plan: TRL's configuration, the rows in the plan's order, and the CPU code where it applies."""

import os
from pathlib import Path
from typing import Literal

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig

from services.trainer.adapters.answer_trainer import AnswerTrainer
from services.trainer.adapters.cpu.lora_product import fuse, use_bf16_weights
from services.trainer.adapters.cpu.packing import can_pack, pack, use_packed_attention
from services.trainer.adapters.token_rows import TokenRow
from services.trainer.adapters.trainable_parameters import freeze_all_but_last, lora_config
from services.trainer.domain.training_plan import TrainingPlan

_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "output_multiplier", "lm_head_multiplier")


def build_trainer(
    plan: TrainingPlan,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: list[TokenRow],
    validation: list[TokenRow],
    output_dir: Path,
    precision: Literal["fp32", "bf16", "mixed"],
    sharded: bool = False,
) -> AnswerTrainer:
    """A trainer over all rows of the job in the plan's order.

    `sharded`: each of several processes holds a part of the model (FSDP), instead of a copy (DDP).
    """
    sharded = sharded and _world_size() > 1
    order = plan.row_order([len(row["input_ids"]) for row in train])
    packs = can_pack(model) and not _changes_logits(model) and _world_size() == 1
    if packs:
        use_packed_attention(model)
    if plan.tuning.kind == "freeze":
        freeze_all_but_last(model, plan.tuning.blocks)
    trainer = AnswerTrainer(
        model=model,
        args=_sft_config(plan, output_dir, precision == "bf16", sharded),
        train_dataset=Dataset.from_list(list(train)).select(order),
        eval_dataset=Dataset.from_list(list(validation)) if validation else None,
        processing_class=tokenizer,
        peft_config=lora_config(plan.tuning, model) if plan.tuning.kind == "lora" else None,
        **({"data_collator": pack} if packs else {}),
    )
    if precision == "mixed" and packs:
        use_bf16_weights(trainer.model)
    if not sharded:
        # A sharded layer has its weights only while its own forward runs, so its products cannot be fused.
        fuse(trainer.model)
    trainer.remove_callback(PrinterCallback)
    if isinstance(trainer.model, PeftModel):
        # PEFT writes the local folder of the base model; a checkpoint states its name instead.
        trainer.model.peft_config["default"].base_model_name_or_path = plan.base_model
    return trainer


def _sft_config(plan: TrainingPlan, output_dir: Path, bf16: bool, sharded: bool) -> SFTConfig:
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
