"""What early stopping saves, and whether it costs anything: `make bench-early_stopping`.

Three example data sets are trained twice with every hyperparameter "auto": with early stopping, and without. The held
out test rows are then answered by both. Two promises for each set:

- with early stopping the training takes at most 0.6 of the time;
- the final score is the same within the noise of the test: the paired test finds no loss at a level of 5 %.

Extraction and intents are scored by right answers (McNemar's exact test). In a persona's voice many answers are right,
so there the loss of each test row is compared (Wilcoxon's signed-rank test, one-sided).

`python -m bench.early_stopping intent-recognition` measures one set.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest, wilcoxon

from bench.side_by_side import FOLDER, Ratio, show, verdict
from deploy.local.base_model import unpack
from services.trainer.adapters.worker_processes import ENVIRONMENT

SETS = {"address-extraction": "answers", "intent-recognition": "answers", "persona-voice": "losses"}
_LEVEL, _MOST_TIME = 0.05, 0.6


@dataclass(frozen=True)
class Trained:
    """What a training took and how it answered the test rows."""

    format: str
    """Of its numbers: `fp32`, `mixed` or `bf16`."""
    seconds: float
    steps: int
    planned: int
    reason: str | None
    right: list[bool]
    losses: list[float]

    @property
    def share_right(self) -> float:
        return sum(self.right) / len(self.right)

    @property
    def loss(self) -> float:
        return sum(self.losses) / len(self.losses)


def main() -> int:
    asked = argparse.ArgumentParser(description="Measures what early stopping saves, and whether it costs anything.")
    asked.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all by default")
    names = asked.parse_args().sets or list(SETS)
    model = FOLDER.resolve() / "base"
    unpack(model)
    ratios, table, figures = list[Ratio](), list[list[object]](), dict[str, Any]()
    for name in names:
        stopped, whole = (train(model, name, stops) for stops in ("on", "off"))
        share, p_value = stopped.seconds / whole.seconds, chance_of(SETS[name], stopped, whole)
        for stops, side in (("on", stopped), ("off", whole)):
            table.append([f"{name}, {stops}", side.seconds, side.steps, side.share_right, side.loss])
        ratios.append(Ratio(f"{name}: share of the time", share, _MOST_TIME, 0.4, most=True))
        ratios.append(Ratio(f"{name}: p that the score is the same", p_value, _LEVEL, _LEVEL))
        figures[name] = {"n": len(stopped.right), "reason": stopped.reason} | {
            stops: {
                "seconds": round(side.seconds, 1),
                "steps": side.steps,
                "right": side.share_right,
                "loss": side.loss,
            }
            for stops, side in (("on", stopped), ("off", whole))
        }
    show(["set, early stopping", "seconds", "steps", "right", "test loss"], table)
    return verdict("early_stopping", ratios, sets=figures)


def train(model: Path, name: str, stops: str, precision: str = "auto") -> Trained:
    """One training of an example set, in a process of its own."""
    rows = f"examples/{name}/train.jsonl"
    command = [sys.executable, "-m", "bench.early_stopping_child", model, rows, stops, precision]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT}, check=True)
    trained = Trained(**json.loads(process.stdout.splitlines()[-1]))
    about = f"{name}, {trained.format}, early stopping {stops}"
    print(f"{about}: {trained.steps} of {trained.planned} steps, {trained.seconds:.0f} s", file=sys.stderr, flush=True)
    return trained


def chance_of(kind: str, stopped: Trained, whole: Trained) -> float:
    """How likely a difference as large as this is by chance; 1 where there is none."""
    if kind == "answers":
        gained = sum(a and not b for a, b in zip(stopped.right, whole.right, strict=True))
        lost = sum(b and not a for a, b in zip(stopped.right, whole.right, strict=True))
        return float(binomtest(lost, gained + lost).pvalue) if gained + lost else 1.0
    differences = [a - b for a, b in zip(stopped.losses, whole.losses, strict=True)]
    if not any(differences):
        return 1.0
    tested: Any = wilcoxon(differences, alternative="greater")
    return float(tested.pvalue)


if __name__ == "__main__":
    sys.exit(main())
