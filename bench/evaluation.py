"""The shipped suite on four checkpoints: lm-evaluation-harness's two usual ways, and Assay: `make bench-evaluation`.

The time is that from a checkpoint's being there to its score, the peers' process and model starts included. Engines run
before, for Assay and for `local-completions` alike, and their starts are told. Assay's time holds the base model's
scores and the comparison too, which the peers do not make. An item is decided the same where the same choice is taken.

`BENCH_ITEMS` (a subject, default all) and `BENCH_PEER_CHECKPOINTS` (of the four, default all) shorten a run: the peers
go through their checkpoints one after another, so that what is left out is what was measured, again.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.evaluation_adapters import make_adapters, merge
from bench.evaluation_assay import Assay
from bench.evaluation_peers import Choices, Peer, engine
from bench.evaluation_tasks import Suite, shipped
from bench.side_by_side import FOLDER, Ratio, free_port, show, verdict
from deploy.local import processor
from deploy.local.base_model import unpack
from deploy.local.settings import BASE_MODEL

CHECKPOINTS = 4
ITEMS = int(os.environ.get("BENCH_ITEMS", "1000"))
PEER_CHECKPOINTS = int(os.environ.get("BENCH_PEER_CHECKPOINTS", str(CHECKPOINTS)))


def main() -> int:
    # So that what was started ends with this, also when it is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if processor.faults_on_amx():
        os.environ.update(processor.environment_without_amx())
    # Where the stack looks for it too.
    base = FOLDER.resolve() / "models" / BASE_MODEL
    unpack(base)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        folder = Path(scratch).resolve()
        suite = shipped(ITEMS, folder / "suite")
        adapters = make_adapters(base, CHECKPOINTS, FOLDER.resolve() / "evaluation-adapters")
        assay = Assay(folder / "stack", suite, base, adapters)
        ours, assay_s = assay.run()
        peer = Peer(suite, folder / "peer")
        hf, hf_s = _hf(peer, base, adapters[:PEER_CHECKPOINTS])
        completions, completions_s, started_s = _completions(peer, base, adapters[:PEER_CHECKPOINTS], folder)
    scale = CHECKPOINTS / PEER_CHECKPOINTS
    rows = [
        ["lm_eval hf, one after another", hf_s * scale, 0.0, _right(suite, hf), _same(hf, ours)],
        [
            "lm_eval completions",
            completions_s * scale,
            started_s,
            _right(suite, completions),
            _same(completions, ours),
        ],
        ["assay", assay_s, assay.started_s, _right(suite, ours), 1.0],
    ]
    print(f"{suite.items} items, {CHECKPOINTS} checkpoints; the peers ran {PEER_CHECKPOINTS} of them\n")
    show(["side", "seconds", "engine's start", "right", "decided as Assay"], rows)
    ratios = [
        Ratio("times lm_eval hf", hf_s * scale / assay_s, 4, 8),
        Ratio("times local-completions", completions_s * scale / assay_s, 8, 16),
        Ratio("decided as hf", _same(hf, ours), 0.99, 1),
    ]
    seconds = {"hf": hf_s * scale, "local_completions": completions_s * scale, "assay": assay_s}
    return verdict("evaluation", ratios, seconds=seconds, hf_itself=_same(hf, completions), items=suite.items)


def _hf(peer: Peer, base: Path, adapters: Sequence[Path]) -> tuple[list[Choices], float]:
    started = time.perf_counter()
    found = [peer.run("hf", f"pretrained={base},peft={adapter}") for adapter in adapters]
    return found, time.perf_counter() - started


def _completions(peer: Peer, base: Path, adapters: Sequence[Path], folder: Path) -> tuple[list[Choices], float, float]:
    """On merged weights: an engine with adapters dies of the prompt_logprobs that this way asks for."""
    found: list[Choices] = []
    spent = started = 0.0
    for number, adapter in enumerate(adapters):
        merged = merge(base, adapter, folder / f"merged-{number}")
        begun = time.perf_counter()
        with engine(merged, "merged", free_port()) as url:
            started = time.perf_counter() - begun
            asked = f"model=merged,base_url={url}/v1/completions,tokenizer={merged}"
            begun = time.perf_counter()
            found.append(peer.run("local-completions", asked))
            spent += time.perf_counter() - begun
    return found, spent, started


def _same(one: Sequence[Choices], other: Sequence[Choices]) -> float:
    """The share of items for which the same choice was taken."""
    pairs = [(mine[item], theirs[item]) for mine, theirs in zip(one, other, strict=False) for item in mine]
    return sum(a == b for a, b in pairs) / len(pairs)


def _right(suite: Suite, found: Sequence[Choices]) -> float:
    taken = [(choices[item], suite.right[item]) for choices in found for item in choices]
    return sum(a == b for a, b in taken) / len(taken)


if __name__ == "__main__":
    print(json.dumps({"items": ITEMS, "peer_checkpoints": PEER_CHECKPOINTS}), flush=True)
    raise SystemExit(main())
