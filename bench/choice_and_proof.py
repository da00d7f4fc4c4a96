"""How often equal checkpoints are approved falsely: chosen and proved on one split, and on two.

    python -m bench.choice_and_proof

Ten checkpoints answer exactly as well as the base model, each with errors of its own. The best one is chosen, and
approved if an exact McNemar test says that it is better than the base model at 5 % (one-sided 2.5 %, as "better" is one
side of two). Chosen and proved on the same items, the best of ten equals looks better than it is. Chosen on the
validation split and proved on the test split, false approvals keep to the stated rate.

`--scores FILE` takes recorded item scores (JSON Lines of `{"model": [0, 1, ...]}`) in place of invented ones: items are
drawn from them, and which model gave which answer is shuffled item by item, so that all models are equal.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

Items = npt.NDArray[np.int64]
CHECKPOINTS, ITEMS, ACCURACY, ROUNDS, LEVEL = 10, 200, 0.7, 2000, 0.05


def equal_models(random: np.random.Generator, recorded: Items | None, items: int) -> Items:
    """Item scores of the base model and ten equal checkpoints: one row a model."""
    if recorded is None:
        # Items differ in how hard they are, as in a real task, so that models agree on most of them.
        chance = random.beta(0.7 * 2, 0.3 * 2, items)
        return (random.random((CHECKPOINTS + 1, items)) < chance).astype(np.int64)
    drawn = recorded[:, random.integers(0, recorded.shape[1], items)]
    rows = drawn[random.integers(0, len(drawn), CHECKPOINTS + 1)]
    return random.permuted(rows, axis=0)


def is_better(mine: Items, base: Items) -> bool:
    """Exact McNemar: better than the base model, two-sided at `LEVEL`."""
    gained, lost = int(((mine == 1) & (base == 0)).sum()), int(((mine == 0) & (base == 1)).sum())
    return gained > lost and float(stats.binomtest(gained, gained + lost).pvalue) < LEVEL


def false_approvals(seed: int = 0, recorded: Items | None = None, rounds: int = ROUNDS) -> tuple[float, float]:
    """The share of rounds in which a model that is no better is approved: on one split, and on two."""
    random = np.random.default_rng(seed)
    one = two = 0
    for _ in range(rounds):
        validation, test = equal_models(random, recorded, ITEMS), equal_models(random, recorded, ITEMS)
        best = 1 + int(test[1:].sum(axis=1).argmax())
        one += is_better(test[best], test[0])
        best = 1 + int(validation[1:].sum(axis=1).argmax())
        two += is_better(test[best], test[0])
    return one / rounds, two / rounds


def read_scores(path: Path) -> Items:
    """Recorded item scores, one row a model, each at least a half counting as right."""
    rows: Sequence[Sequence[float]] = [next(iter(json.loads(line).values())) for line in path.read_text().splitlines()]
    return (np.array(rows) >= 0.5).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path)
    arguments = parser.parse_args()
    one, two = false_approvals(recorded=read_scores(arguments.scores) if arguments.scores else None)
    print(f"chosen and proved on one split: {one:.1%} false approvals of {ROUNDS}")
    print(f"chosen on validation, proved on test: {two:.1%} (stated: at most {LEVEL / 2:.1%})")


if __name__ == "__main__":
    main()
