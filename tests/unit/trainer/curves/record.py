"""Trains the tiny model in seven ways and keeps the curves: `python -m tests.unit.trainer.curves.record`."""

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from services.trainer.adapters.reporting import Reporting
from services.trainer.adapters.rows import token_rows
from services.trainer.adapters.trl import load_model, load_tokenizer, trainer
from services.trainer.domain.plan import plan_training
from shared.artifacts import Artifacts
from shared.events import Hyperparameters, TrainingSpec
from tests.unit.trainer import tiny_model

FOLDER = Path(__file__).parent
Rows = Callable[[random.Random], str]


class Listener:
    """Stands where the parent process listens, and keeps each step's figures."""

    def __init__(self) -> None:
        self.points: dict[int, dict[str, Any]] = {}

    def send(self, message: dict[str, Any]) -> None:
        figures = {name: value for name, value in message["metrics"].items() if value is not None}
        kept = {name: figures[name] for name in ("step", "train_loss", "valid_loss") if name in figures}
        self.points.setdefault(kept["step"], {}).update(kept)


def counted(rng: random.Random) -> str:
    """A question whose answer follows from it."""
    at = rng.randrange(10)
    return _line(f"after {at}?", f"{(at + 1) % 10}, then {(at + 2) % 10}.")


def drawn(rng: random.Random) -> str:
    """An answer that nothing foretells."""
    return _line(f"number {rng.randrange(10**6)}", "".join(rng.choices("abcdefghij", k=12)))


def always(rng: random.Random) -> str:
    return _line(f"number {rng.randrange(10**6)}", "yes")


def odd_once(rng: random.Random) -> str:
    """One row in forty is of another kind."""
    return _line("##", "".join(rng.choices("QWZX%&/", k=40))) if rng.randrange(40) == 0 else always(rng)


# Kind of rows, training rows, steps, learning rate.
CURVES: dict[str, tuple[Rows, int, int, float]] = {
    "converged": (counted, 64, 240, 2e-2),
    "not_converged": (counted, 64, 30, 5e-3),
    "overfitting": (drawn, 16, 160, 2e-2),
    "too_low": (always, 64, 120, 2e-2),
    "flat": (counted, 64, 40, 1e-6),
    "oscillating": (counted, 64, 80, 3.0),
    "jumping": (odd_once, 200, 120, 1e-2),
}


def record(base: Path, kind: Rows, count: int, steps: int, rate: float) -> list[dict[str, Any]]:
    rng = random.Random(5)
    tokenizer = load_tokenizer(str(base))
    train, valid = (token_rows("\n".join(kind(rng) for _ in range(n)).encode(), tokenizer, 256) for n in (count, 16))
    asked = Hyperparameters(n_epochs=steps * 4 / count, batch_size=4, learning_rate=rate, lora_rank=8, n_checkpoints=10)
    spec = TrainingSpec(base_model="tiny", hyperparameters=asked, seed=1)
    plan = plan_training("job", spec, "name", count, tiny_model.HIDDEN_SIZE)
    heard = Listener()
    with tempfile.TemporaryDirectory() as folder:
        reporting = Reporting(plan, heard, Artifacts(f"{folder}/artifacts"), list(range(plan.total_steps + 1)))  # type: ignore[arg-type]
        reporting.trainer = trainer(
            plan, load_model(str(base), False), tokenizer, train, valid, Path(folder) / "out", False
        )
        reporting.trainer.add_callback(reporting)
        reporting.trainer.train()
    return [heard.points[step] for step in sorted(heard.points)]


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        base = tiny_model.save(Path(folder))
        for name in names or CURVES:
            points = record(base, *CURVES[name])
            (FOLDER / f"{name}.json").write_text(json.dumps(points, separators=(",", ":")) + "\n")


def _line(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns})


if __name__ == "__main__":
    main(sys.argv[1:])
