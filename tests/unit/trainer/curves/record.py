"""Trains the tiny model in seven ways and keeps the curves: `python -m tests.unit.trainer.curves.record`."""

import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.trainer.domain.worker_messages import CheckpointWritten, StepDone
from tests.unit.trainer import in_process, tiny_model

FOLDER = Path(__file__).parent
Rows = Callable[[random.Random], str]


def counted(rng: random.Random) -> str:
    """A question whose answer follows from it."""
    at = rng.randrange(10)
    return _line(f"after {at}?", f"{(at + 1) % 10}, then {(at + 2) % 10}.")


def sample_rows(rng: random.Random) -> str:
    """An answer that nothing foretells."""
    return _line(f"number {rng.randrange(10**6)}", "".join(rng.choices("abcdefghij", k=12)))


def always(rng: random.Random) -> str:
    return _line(f"number {rng.randrange(10**6)}", "yes")


def odd_once(rng: random.Random) -> str:
    """One row in forty is of another kind."""
    return _line("##", "".join(rng.choices("QWZX%&/", k=40))) if rng.randrange(40) == 0 else always(rng)


def two_kinds(rng: random.Random) -> str:
    """Rows that say nothing new and rows that nothing foretells: as they differ in length, a batch is of one kind."""
    return sample_rows(rng) if rng.randrange(2) else always(rng)


# Kind of rows, training rows, steps, learning rate.
CURVES: dict[str, tuple[Rows, int, int, float]] = {
    "converged": (counted, 64, 160, 3e-3),
    "not_converged": (counted, 64, 12, 1e-2),
    "overfitting": (sample_rows, 16, 120, 1e-2),
    "too_low": (always, 64, 100, 1e-2),
    "flat": (counted, 64, 40, 1e-7),
    "oscillating": (two_kinds, 64, 80, 1e-2),
    "jumping": (odd_once, 200, 120, 3e-3),
}


def record(base: Path, kind: Rows, count: int, steps: int, rate: float) -> list[dict[str, Any]]:
    rng = random.Random(5)
    train, valid = ("\n".join(kind(rng) for _ in range(n)).encode() for n in (count, 16))
    asked = {"n_epochs": steps * 4 / count, "batch_size": 4, "learning_rate": rate, "n_checkpoints": 10}
    points: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for message in in_process.train(base, Path(folder), train, valid, tuning="full", **asked).messages:
            if isinstance(message, StepDone | CheckpointWritten):
                figures = message.metrics.model_dump(include={"step", "train_loss", "valid_loss"}, exclude_none=True)
                points.setdefault(figures["step"], {}).update(figures)
    return [points[step] for step in sorted(points)]


def main(names: list[str]) -> None:
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
