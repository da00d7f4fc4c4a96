"""lm-evaluation-harness by its own program, and the engine for its `local-completions`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.evaluation_tasks import TEXTS, Suite
from bench.side_by_side import running
from deploy.local import processor, vllm

Choices = dict[str, str]
"""By question, the choice that was taken."""
LM_EVAL = Path(sys.executable).with_name("lm_eval")


class Peer:
    """Runs the suite's tasks with the harness's defaults."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self._suite = suite
        self._folder = folder
        self._runs = 0

    def run(self, model: str, arguments: str) -> Choices:
        """The choice for each item; the answers are also written to a file, as a user would ask for."""
        output = self._run(model, arguments, self._suite.tasks)
        return {question: choice for path in output.rglob("samples_*.jsonl") for question, choice in _taken(path)}

    def perplexity(self, model: str, arguments: str) -> float:
        """Of the texts, per word."""
        [path] = self._run(model, arguments, [TEXTS]).rglob("results_*.json")
        return float(json.loads(path.read_text())["results"][TEXTS]["word_perplexity,none"])

    def _run(self, model: str, arguments: str, tasks: Sequence[str]) -> Path:
        self._runs += 1
        output = self._folder / str(self._runs)
        output.mkdir(parents=True)
        command = [
            *(LM_EVAL, "--model", model, "--model_args", arguments, "--tasks", ",".join(tasks)),
            *("--include_path", self._suite.harness, "--output_path", output, "--log_samples"),
        ]
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(self._folder / "datasets"), "OPENAI_API_KEY": "none"}
        with (output / "log").open("wb") as log:
            ended = subprocess.run(command, env={**os.environ, **offline}, stdout=log, stderr=log, check=False)
        if ended.returncode:
            raise RuntimeError((output / "log").read_text(errors="replace")[-3000:])
        return output


@contextmanager
def engine(model: Path, name: str, port: int, *, core: int | None = None, dtype: str = "auto") -> Generator[str]:
    """vLLM with these weights and without adapters, shared by both sides; ready when it has answered once.

    It runs on `core` (default: all cores) and computes in `dtype` (default: the model's).
    """
    cores = None if core is None else str(core)
    amx = not processor.faults_on_amx()
    served = vllm.server(model, name, port, cache_gib=2, amx=amx, cores=cores, dtype=dtype)
    with running(served.command, port, core=core, variables=served.environment, timeout_s=300) as process:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url, name):
            if process.poll() is not None:
                raise RuntimeError("vLLM ended before it answered; its log lies in .assay/bench/logs")
            time.sleep(0.3)
        yield url


def reload(url: str, weights: Path) -> None:
    """Replace the weights of a running engine."""
    asked = {"method": "reload_weights", "kwargs": {"weights_path": str(weights)}}
    httpx.post(f"{url}/collective_rpc", json=asked, timeout=60).raise_for_status()
    if not httpx.post(f"{url}/reset_prefix_cache", timeout=60).raise_for_status().json()["success"]:
        raise RuntimeError("the engine keeps what it computed with the old weights")


def _answers(url: str, name: str) -> bool:
    try:
        asked = {"model": name, "prompt": "1", "max_tokens": 1}
        return httpx.post(f"{url}/v1/completions", json=asked, timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def _taken(path: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(row["doc"]["question"], _likeliest(row)) for row in rows]


def _likeliest(row: dict) -> str:
    sums = [float(response[0][0]) for response in row["resps"]]
    return row["doc"]["choices"][sums.index(max(sums))]
