"""The shipped suite on four checkpoints, by Assay and in two ways by `lm_eval`: `make bench-evaluation`.

The time runs from the checkpoint's existence to its score. For the peers it includes the start of process and model.
One engine is started before, for Assay and for `local-completions`; its start is reported separately. Assay's time
includes the comparison with the base model, which the peers do not make. Assay scores the base model once for all
checkpoints; that time, with one checkpoint before the timed ones, is reported separately.

Assay asks the same questions twice: by its own suite, and by the harness's evaluator on the long-lived engine (tasks of
the kind `lm_eval`). Two sides agree on an item if they take the same choice. The perplexity of some texts is compared,
too, without timing it. All sides compute in 32 bits: in the model's 16 bits the sums that decide between choices are
wrong by 0.1 to 0.3 nats, and `hf` decides one to two items in a hundred differently than in 32 bits.

`BENCH_ITEMS` (of each subject, default all) and `BENCH_CHECKPOINTS` (default 4) make it smaller for all sides.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.evaluation_adapters import in_32_bits, make_adapters, merge
from bench.evaluation_assay import Assay
from bench.evaluation_peers import Choices, Peer, engine, reload
from bench.evaluation_tasks import Suite, shipped
from bench.side_by_side import FOLDER, Ratio, free_port, show, verdict
from deploy.local import processor
from deploy.local.base_model import unpack
from deploy.local.settings import BASE_MODEL

CHECKPOINTS = int(os.environ.get("BENCH_CHECKPOINTS", "4"))
ITEMS = int(os.environ.get("BENCH_ITEMS", "1000"))


def main() -> int:
    # End all started processes with this one, also on SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if processor.faults_on_amx():
        os.environ.update(processor.environment_without_amx())
    # The local stack reads it from the same place.
    shipped_base = FOLDER.resolve() / "models" / BASE_MODEL
    unpack(shipped_base)
    base = in_32_bits(shipped_base, FOLDER.resolve() / f"{BASE_MODEL}-32")
    first, *adapters = make_adapters(shipped_base, 1 + CHECKPOINTS, FOLDER.resolve() / "evaluation-adapters")
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        folder = Path(scratch).resolve()
        suite = shipped(ITEMS, folder / "suite")
        merged = [merge(base, adapter, folder / f"merged-{n}") for n, adapter in enumerate(adapters)]
        peer = Peer(suite, folder / "peer")
        starting = time.perf_counter()
        with engine(base, BASE_MODEL, free_port(), dtype="float32") as url:
            started_s = time.perf_counter() - starting
            ours = Assay(folder / "stack", suite, [first, *adapters], url).run()
            _print_time("assay", ours.own.seconds)
            _print_time("assay, by the harness", ours.by_harness.seconds)
            completions, completions_s = _completions(peer, url, merged)
        _print_time("lm_eval completions", completions_s)
        hf, hf_s = _hf(peer, base, adapters)
        _print_time("lm_eval hf", hf_s)
        theirs = [peer.perplexity("hf", f"pretrained={base},peft={adapter}") for adapter in adapters]
    own, harness = ours.own, ours.by_harness
    apart = max(abs(mine / hfs - 1) for mine, hfs in zip(ours.perplexities, theirs, strict=True))
    right_by_harness = _right(suite, harness.choices)
    rows = [
        ["lm_eval hf, one after another", hf_s, 0.0, _right(suite, hf), _same(hf, own.choices)],
        ["lm_eval completions", completions_s, started_s, _right(suite, completions), _same(completions, own.choices)],
        ["assay", own.seconds, started_s, _right(suite, own.choices), 1.0],
        ["assay, before: base and one more", own.before_s, "", "", ""],
        ["assay, by the harness", harness.seconds, started_s, right_by_harness, _same(harness.choices, own.choices)],
        ["assay, by the harness, before", harness.before_s, "", "", ""],
    ]
    print(f"{suite.items} items, {CHECKPOINTS} checkpoints\n")
    show(["side", "seconds", "engine's start", "right", "decided as Assay"], rows)
    ratios = [
        Ratio("times lm_eval hf", hf_s / own.seconds, 4, 8),
        Ratio("times local-completions", completions_s / own.seconds, 8, 16),
        Ratio("decided as hf", _same(hf, own.choices), 0.99, 1),
        Ratio("by the harness: times lm_eval hf", hf_s / harness.seconds, 4, 8),
        Ratio("by the harness: decided as hf", _same(hf, harness.choices), 0.99, 1),
        Ratio("by the harness: perplexity apart from hf's", apart, 0.005, 0.001, most=True),
    ]
    seconds = {"hf": hf_s, "local_completions": completions_s, "assay": own.seconds, "assay_before": own.before_s}
    seconds |= {"assay_by_harness": harness.seconds, "assay_by_harness_before": harness.before_s}
    figures = {"items": suite.items, "checkpoints": CHECKPOINTS, "completions_as_hf": _same(hf, completions)}
    figures |= {"perplexities": ours.perplexities, "perplexities_of_hf": theirs}
    return verdict("evaluation", ratios, seconds=seconds, **figures)


def _hf(peer: Peer, base: Path, adapters: Sequence[Path]) -> tuple[list[Choices], float]:
    started = time.perf_counter()
    found = [peer.run("hf", f"pretrained={base},peft={adapter}") for adapter in adapters]
    return found, time.perf_counter() - started


def _completions(peer: Peer, url: str, merged: Sequence[Path]) -> tuple[list[Choices], float]:
    """On merged weights: this way requests prompt_logprobs, which end an engine with adapters."""
    found: list[Choices] = []
    spent = 0.0
    for weights in merged:
        reload(url, weights)
        asked = f"model={BASE_MODEL},base_url={url}/v1/completions,tokenizer={weights}"
        begun = time.perf_counter()
        found.append(peer.run("local-completions", asked))
        spent += time.perf_counter() - begun
    return found, spent


def _print_time(side: str, seconds: float) -> None:
    print(f"{side}: {seconds:.0f} s", flush=True)


def _same(one: Sequence[Choices], other: Sequence[Choices]) -> float:
    """The share of items with the same choice."""
    pairs = [(mine[item], theirs[item]) for mine, theirs in zip(one, other, strict=True) for item in mine]
    return sum(a == b for a, b in pairs) / len(pairs)


def _right(suite: Suite, found: Sequence[Choices]) -> float:
    taken = [(choices[item], suite.right[item]) for choices in found for item in choices]
    return sum(a == b for a, b in taken) / len(taken)


if __name__ == "__main__":
    print(json.dumps({"items_a_subject": ITEMS, "checkpoints": CHECKPOINTS}), flush=True)
    raise SystemExit(main())
