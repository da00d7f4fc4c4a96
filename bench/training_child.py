"""One side of `bench.training`: trains some steps by Assay or by TRL's defaults, prints a line of JSON."""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from bench.training_rows import rows
from services.trainer.adapters.bf16_speed import bf16_speedup
from services.trainer.adapters.pretrained import load_model, load_tokenizer
from services.trainer.adapters.token_rows import IGNORED, token_rows
from services.trainer.adapters.trainer_factory import build_trainer
from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.precision import decide_precision
from services.trainer.domain.training_plan import plan_training
from shared.events import Hyperparameters, TrainingSpec


@dataclass(frozen=True)
class Asked:
    """What all sides are asked for alike."""

    model: str
    steps: int
    batch: int
    rate: float
    rank: int
    seed: int


def main(side: str, asked: Asked) -> None:
    by_default = {"assay": _assay, "trl": _trl}
    make = (by_default | {"assay-fp32": partial(_assay, precision="fp32"), "trl-fp32": partial(_trl, bf16=False)})[side]
    torch.manual_seed(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        made = make(asked, rows(asked.steps * asked.batch, asked.seed), Path(folder))
        started = time.perf_counter()
        made.train()
        seconds = time.perf_counter() - started
    losses = [entry["loss"] for entry in made.state.log_history if "loss" in entry]
    print(json.dumps({"seconds": seconds, "losses": losses}))


def _assay(asked: Asked, data: list[Any], folder: Path, precision: Any = "auto") -> SFTTrainer:
    values = Hyperparameters(n_epochs=1, batch_size=asked.batch, learning_rate=asked.rate, lora_rank=asked.rank)
    spec = TrainingSpec(base_model="base", hyperparameters=values, seed=asked.seed)
    shape = BaseShape(hidden_size=576, blocks=30)
    plan = plan_training("bench", spec, "bench", len(data), shape).model_copy(update={"warmup_steps": 0})
    tokenizer = load_tokenizer(asked.model)
    train = token_rows("\n".join(json.dumps(row) for row in data).encode(), tokenizer, 4096)
    for row in train:
        # The others' templates teach the line break behind the end of a turn, which Assay leaves out.
        taught = max(i for i, label in enumerate(row["labels"]) if label != IGNORED)
        row["labels"][taught:] = row["input_ids"][taught:]
    number_format = decide_precision(precision, "lora", bf16_speedup()).format
    model = load_model(asked.model, number_format == "bf16")
    made = build_trainer(plan, model, tokenizer, train, [], folder, number_format)
    # All sides read the rows in the order of the file.
    made.train_dataset = Dataset.from_list(list(train))
    return made


def _trl(asked: Asked, data: list[Any], folder: Path, bf16: bool | None = None) -> SFTTrainer:
    split = [{"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in data]
    settings = {"per_device_train_batch_size": asked.batch, "max_steps": asked.steps}
    settings |= {"learning_rate": asked.rate, "seed": asked.seed}
    same = {"lr_scheduler_type": "cosine", "train_sampling_strategy": "sequential", "logging_steps": 1, "bf16": bf16}
    adapter = LoraConfig(r=asked.rank, lora_alpha=2 * asked.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(asked.model, dtype=torch.float32),
        args=SFTConfig(folder, use_cpu=True, save_strategy="no", report_to=[], disable_tqdm=True, **settings, **same),
        train_dataset=Dataset.from_list(split),
        processing_class=AutoTokenizer.from_pretrained(asked.model),
        peft_config=adapter,
    )


if __name__ == "__main__":
    side, model, *numbers = sys.argv[1:]
    os.environ["HF_HUB_OFFLINE"] = "1"
    steps, batch, rate, rank, seed = numbers
    main(side, Asked(model, int(steps), int(batch), float(rate), int(rank), int(seed)))
