"""One training of `bench.early_stopping` or `bench.precision`; prints a line of JSON.

Arguments: the model, a file of rows, early stopping (`on` or `off`) and the precision (`auto`, `fp32`, …).
"""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from services.trainer.adapters.answer_trainer import AnswerTrainer
from services.trainer.adapters.bf16_speed import bf16_speedup
from services.trainer.adapters.pretrained import load_model, load_tokenizer
from services.trainer.adapters.progress_callback import ProgressCallback
from services.trainer.adapters.publisher import Publisher, base_dtype
from services.trainer.adapters.token_rows import TokenRow, token_rows
from services.trainer.adapters.trainer_factory import build_trainer
from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.precision import decide_precision
from services.trainer.domain.training_plan import TrainingPlan, plan_training
from shared.artifacts import Artifacts
from shared.events import Hyperparameters, TrainingSpec

SEED = 7
_LONGEST_TOKENS = 2048


class Silent:
    """A parent process that listens to nothing."""

    def send(self, _message: dict[str, Any]) -> None: ...


def main(model: str, rows_file: Path, stops: bool, precision: Any) -> None:
    train, validation, test = _splits(rows_file)
    tokenizer = load_tokenizer(model)
    tokens = [token_rows(_lines(part), tokenizer, _LONGEST_TOKENS) for part in (train, validation, test)]
    plan = _plan(len(train), len(validation), stops)
    number_format = decide_precision(precision, "lora", bf16_speedup()).format
    torch.manual_seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        publisher = Publisher(plan.tuning, model, tokenizer, base_dtype(model))
        counts = list(range(plan.total_steps + 1))
        progress = ProgressCallback(plan, Silent(), Artifacts(folder), counts, publisher)  # type: ignore[arg-type]
        base = load_model(model, number_format == "bf16")
        trainer = build_trainer(plan, base, tokenizer, tokens[0], tokens[1], Path(folder) / "out", number_format)
        progress.trainer = trainer
        trainer.add_callback(progress)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        right, losses = _score(trainer, tokens[2])
    reason = progress.early_stop.reason if progress.early_stop else None
    figures = {
        "format": number_format,
        "seconds": seconds,
        "steps": progress.last_step,
        "planned": plan.total_steps,
        "reason": reason,
    }
    print(json.dumps({**figures, "right": right, "losses": losses}))


def _splits(file: Path) -> tuple[list[str], list[str], list[str]]:
    """Four fifths for training, a tenth each for validation and for the test; seeded."""
    rows = file.read_text().splitlines()
    random.Random(SEED).shuffle(rows)
    tenth = len(rows) // 10
    return rows[2 * tenth :], rows[:tenth], rows[tenth : 2 * tenth]


def _lines(rows: list[str]) -> bytes:
    return "\n".join(rows).encode()


def _plan(rows: int, validation_rows: int, stops: bool) -> TrainingPlan:
    """Everything "auto"; early stopping too, or off."""
    asked = Hyperparameters(early_stopping=None if stops else False)
    spec = TrainingSpec(base_model="base", hyperparameters=asked, seed=SEED)
    shape = BaseShape(hidden_size=576, blocks=30, context=_LONGEST_TOKENS)
    return plan_training("bench", spec, "bench", rows, shape, validation_rows=validation_rows)


def _score(trainer: AnswerTrainer, rows: list[TokenRow]) -> tuple[list[bool], list[float]]:
    """For each row whether every answer token is ranked first, which greedy decoding then writes, and its mean loss."""
    assert trainer.model is not None
    trainer.model.eval()
    right, losses = list[bool](), list[float]()
    with torch.no_grad():
        for row in rows:
            batch: Any = trainer._prepare_inputs(trainer.data_collator([row]))  # pyright: ignore[reportPrivateUsage]
            loss, correct, count = trainer.score(trainer.model, batch)
            right.append(int(correct) == count)
            losses.append(float(loss) / count)
    return right, losses


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    model, rows_file, stops, precision = sys.argv[1:]
    main(model, Path(rows_file), stops == "on", precision)
