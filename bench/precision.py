"""Number formats over a whole training: `make bench-precision`.

The example is trained with every hyperparameter "auto", once in 32 bits and once in the format that Assay chooses on
this machine. The held out test rows are then answered by both. Two promises:

- the mean loss of the test rows differs by at most 0.02 nats;
- the right answers are the same within the noise of the test (McNemar's exact test at a level of 5 %).

Where Assay chooses 32 bits, there is nothing to compare. `python -m bench.precision intent-recognition` takes another
example set, and `--format mixed` another format, for instance where the processor has bf16 but multiplies it slowly.
"""

import argparse
import sys

from bench.early_stopping import SETS, chance_of, train
from bench.side_by_side import FOLDER, Ratio, show, verdict
from deploy.local.base_model import unpack
from services.trainer.adapters.bf16_speed import bf16_speedup
from services.trainer.domain.precision import decide_precision

_MOST_APART, _LEVEL = 0.02, 0.05


def main() -> int:
    asked = argparse.ArgumentParser(description="Compares a whole training in 32 bits and in the chosen format.")
    asked.add_argument("set", nargs="?", default="address-extraction", help=f"of {', '.join(SETS)}")
    asked.add_argument("--format", choices=("auto", "mixed", "bf16"), default="auto", help="beside 32 bits")
    options = asked.parse_args()
    name = options.set
    chosen = decide_precision(options.format, "lora", bf16_speedup())
    print(f"{chosen.format}: {chosen.reason}", file=sys.stderr)
    if chosen.format == "fp32":
        return verdict("precision", [], chosen=chosen.format, reason=chosen.reason)
    model = FOLDER.resolve() / "base"
    unpack(model)
    exact, fast = (train(model, name, "on", precision) for precision in ("fp32", chosen.format))
    sides = [exact, fast]
    table = [[each.format, each.seconds, each.steps, each.share_right, each.loss] for each in sides]
    show(["format", "seconds", "steps", "right", "test loss"], table)
    per_step = [each.seconds / each.steps for each in sides]
    ratios = [
        Ratio("difference of the test loss", abs(fast.loss - exact.loss), _MOST_APART, _MOST_APART, most=True),
        Ratio("p that the right answers are the same", chance_of("answers", fast, exact), _LEVEL, _LEVEL),
    ]
    return verdict("precision", ratios, faster=per_step[0] / per_step[1], n=len(exact.right), reason=chosen.reason)


if __name__ == "__main__":
    sys.exit(main())
