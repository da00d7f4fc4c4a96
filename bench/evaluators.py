"""Two evaluators, each with its own engine, compared with one: `make bench-evaluators`.

Each evaluator shares one core with its engine, real vLLM, as if on a separate machine. One evaluator scores some
checkpoints, then two score as many others; the base model is scored before. The requests of each engine are counted, to
detect a checkpoint that is scored twice. Options: `--checkpoints N` (4), `--items N` (of each subject, 14).
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.evaluation_adapters import make_adapters
from bench.evaluation_assay import score
from bench.evaluation_peers import engine
from bench.evaluation_tasks import shipped
from bench.side_by_side import FOLDER, Ratio, free_port, running, show, verdict
from bench.stores import stores
from deploy.local.base_model import unpack
from deploy.local.settings import BASE_MODEL
from shared.artifacts import Artifacts

_REQUESTS = re.compile(r"^vllm:request_success_total\{.*\} (\S+)$", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=4)
    parser.add_argument("--items", type=int, default=14)
    asked = parser.parse_args()
    count: int = asked.checkpoints
    base = FOLDER.resolve() / "models" / BASE_MODEL
    unpack(base)
    adapters = make_adapters(base, 1 + 2 * count, FOLDER.resolve() / "evaluation-adapters")
    # On a machine with one core both are the same.
    cores = [0, (os.cpu_count() or 1) - 1]
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        folder = Path(scratch).resolve()
        suite = shipped(asked.items, folder / "suite")
        with (
            stores(folder) as common,
            engine(base, BASE_MODEL, free_port(), core=cores[0]) as first,
            engine(base, BASE_MODEL, free_port(), core=cores[1]) as second,
        ):

            def timed(steps: range) -> tuple[float, list[float]]:
                return _timed(common, [adapters[step] for step in steps], steps, [first, second])

            with evaluator(common, suite.folder, first, cores[0]):
                timed(range(1))
                alone = timed(range(1, 1 + count))
                with evaluator(common, suite.folder, second, cores[1]):
                    together = timed(range(1 + count, 1 + 2 * count))
    print(f"{suite.items} items, {count} checkpoints, {os.cpu_count()} cores, one for each evaluator with its engine\n")
    rows = [["one evaluator", alone[0], *alone[1]], ["two evaluators", together[0], *together[1]]]
    show(["", "seconds", "requests to the first engine", "to the second"], rows)
    ratios = [
        Ratio("time of two evaluators / time of one", together[0] / alone[0], 0.6, 0.5, most=True),
        Ratio("requests of two evaluators / requests of one", sum(together[1]) / sum(alone[1]), 1.02, 1, most=True),
    ]
    return verdict("evaluators", ratios, items=suite.items, checkpoints=count, seconds=[alone[0], together[0]])


@contextmanager
def evaluator(common: Mapping[str, str], suites: Path, engine_url: str, core: int) -> Generator[None]:
    """One evaluator on `core`, with an engine whose weights it replaces."""
    port = free_port()
    own = {
        "ASSAY_INSTANCE": f"evaluator-{port}",
        "EVALUATOR_HTTP_PORT": str(port),
        "EVALUATOR_ENGINE_URL": engine_url,
        "EVALUATOR_ENGINE_MODE": "weights",
        "EVALUATOR_SUITES": json.dumps([str(suites)]),
    }
    with running([sys.executable, "-m", "services.evaluator"], port, core=core, variables={**common, **own}):
        while httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code != 200:
            time.sleep(0.2)
        yield


def _timed(
    common: Mapping[str, str], adapters: Sequence[Path], steps: range, engines: Sequence[str]
) -> tuple[float, list[float]]:
    """Seconds from the first event to the last score, and the number of requests that each engine answered."""
    files = Artifacts(common["ASSAY_ARTIFACTS"])
    before = [_answered(url) for url in engines]
    started = time.perf_counter()
    asyncio.run(score(common["ASSAY_NATS_URL"], files, adapters, first_step=steps.start))
    spent = time.perf_counter() - started
    return spent, [_answered(url) - known for url, known in zip(engines, before, strict=True)]


def _answered(url: str) -> float:
    return sum(float(number) for number in _REQUESTS.findall(httpx.get(f"{url}/metrics", timeout=30).text))


if __name__ == "__main__":
    sys.exit(main())
