"""Compares Assay's training with TRL's and LLaMA-Factory's defaults: `make bench-training`.

All sides get the same model, rows, order, batch size, rank, learning rate and seed. They take turns; the fastest turn
of each counts. Speed counts real tokens, those of the rows, without padding; loading and tokenizing are not timed.

Three promises:

- Assay reaches 0.7 of the speed at which this machine multiplies matrices in its fastest number format;
- it is at least twice as fast as the faster peer;
- its loss (the mean of all steps) is within 0.02 nats of TRL's in 32 bits. TRL runs once in 32 bits for its loss alone.

How many times faster than each peer Assay is depends on the processor, so it is only reported. The peers compute in 16
bits by default, also where the processor emulates that, and round away some of a young adapter's small changes.
`python -m bench.training --turns 1` is the short way.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from bench.side_by_side import FOLDER, UV, Ratio, environment, show, verdict
from bench.training_rows import rows
from deploy.local import processor, set_up
from deploy.local.base_model import unpack
from services.trainer.adapters.bf16_speed import bf16_speedup
from services.trainer.adapters.token_rows import IGNORED, TokenRow, token_rows
from services.trainer.adapters.worker_processes import ENVIRONMENT

STEPS, BATCH, RATE, RANK, SEED, TURNS = 4, 8, 2e-4, 16, 7, 2
_SIDES = ("trl", "llama-factory", "assay")
_TRL_IN_32_BITS = "trl-fp32"


@dataclass
class Side:
    """The results of one side over its turns."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


def main() -> int:
    asked = argparse.ArgumentParser(description="Compares Assay's training with TRL's and LLaMA-Factory's defaults.")
    asked.add_argument("--turns", type=int, default=TURNS, help="how often each side trains; the best counts")
    asked.add_argument("--set-up", action="store_true", help="make the peer's environment and measure nothing")
    options = asked.parse_args()
    model = FOLDER.resolve() / "base"
    unpack(model)
    factory = _factory()
    if options.set_up:
        return 0
    data = rows(STEPS * BATCH, SEED)
    tokens = token_rows(_lines(data), AutoTokenizer.from_pretrained(model), 4096)
    real = sum(len(row["input_ids"]) for row in tokens)
    sides = {name: Side() for name in _SIDES}
    speedup = max(1.0, bf16_speedup())
    ceiling = 0.0
    for _ in range(options.turns):
        for name, side in sides.items():
            _turn(name, side, model, factory, data)
            # Between the turns, so that other work on the machine slows down both alike.
            ceiling = max(ceiling, speedup * _fp32_ceiling(tokens))
    _turn(_TRL_IN_32_BITS, sides.setdefault(_TRL_IN_32_BITS, Side()), model, factory, data)
    speed = {name: real / min(side.seconds) for name, side in sides.items()}
    mean = {name: sum(side.losses) / len(side.losses) for name, side in sides.items()}
    times = {name: speed["assay"] / speed[name] for name in ("trl", "llama-factory")}
    apart = abs(mean["assay"] - mean[_TRL_IN_32_BITS])

    table = [[n, speed[n], speed[n] / ceiling, mean[n], s.losses[-1], s.peak_mib] for n, s in sides.items()]
    show(["side", "tokens/s", "of ceiling", "mean loss", "last loss", "peak MiB"], table)
    ratios = [
        Ratio("share of the machine's ceiling", speed["assay"] / ceiling, 0.7, 0.85),
        Ratio("times the faster peer", min(times.values()), 2, 4),
        Ratio("difference from TRL's loss in 32 bits", apart, 0.02, 0.02, most=True),
    ]
    return verdict("training", ratios, tokens_per_s=speed, bf16_speedup=speedup, times=times)


def _lines(data: list[Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in data).encode()


def _factory() -> Path:
    """LLaMA-Factory's program. It wants torchaudio only by name; torchvision's build would not fit the torch."""
    os.environ.update(set_up.machine_environment())
    bin_folder = environment("llama-factory", "llamafactory==0.9.5", f"torch=={torch.__version__}")
    subprocess.run(
        [UV, "pip", "uninstall", "--quiet", "--python", bin_folder / "python", "torchvision", "torchaudio"], check=True
    )
    [packages] = (bin_folder.parent / "lib").glob("python*/site-packages")
    (packages / "torchaudio.py").touch()
    return bin_folder / "llamafactory-cli"


def _turn(name: str, side: Side, model: Path, factory: Path, data: list[Any]) -> None:
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1"}
    if name == "assay":
        variables |= ENVIRONMENT
    elif processor.faults_on_amx():
        # With their defaults the peers would end here by an illegal instruction.
        variables |= processor.environment_without_amx()
    with tempfile.TemporaryDirectory() as folder:
        command = _factory_command(factory, model, data, Path(folder)) if name == "llama-factory" else _own(name, model)
        output, peak_mib = _run(command, variables)
        found = _factory_result(Path(folder)) if name == "llama-factory" else json.loads(output.splitlines()[-1])
    print(f"{name}: {found['seconds']:.1f} s for {STEPS} steps", file=sys.stderr)
    side.seconds.append(found["seconds"])
    side.losses, side.peak_mib = found["losses"], max(side.peak_mib, peak_mib)


def _own(name: str, model: Path) -> list[str]:
    numbers = [str(number) for number in (STEPS, BATCH, RATE, RANK, SEED)]
    return [sys.executable, "-m", "bench.training_child", name, str(model), *numbers]


def _factory_command(factory: Path, model: Path, data: list[Any], folder: Path) -> list[str]:
    (folder / "rows.json").write_text(json.dumps(data))
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    described = {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages"}}
    (folder / "dataset_info.json").write_text(
        json.dumps({"rows": described | {"tags": tags | {"system_tag": "system"}}})
    )
    settings = {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(model),
        "template": "smollm2",
        "dataset": "rows",
        "dataset_dir": str(folder),
        "cutoff_len": 4096,
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": RANK,
        "lora_alpha": 2 * RANK,
        "per_device_train_batch_size": BATCH,
        "max_steps": STEPS,
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "disable_shuffling": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "output_dir": str(folder / "out"),
        "seed": SEED,
        "use_cpu": True,
        "report_to": "none",
    }
    # JSON is YAML too, and 0.9.5 cannot read a file that is called JSON.
    (folder / "train.yaml").write_text(json.dumps(settings))
    return [str(factory), "train", str(folder / "train.yaml")]


def _factory_result(folder: Path) -> dict[str, Any]:
    state = json.loads((folder / "out" / "trainer_state.json").read_text())["log_history"]
    seconds = next(entry["train_runtime"] for entry in state if "train_runtime" in entry)
    return {"seconds": seconds, "losses": [entry["loss"] for entry in state if "loss" in entry]}


def _run(command: list[str], variables: dict[str, str]) -> tuple[str, float]:
    """Standard output and the peak of memory in MiB; raises `RuntimeError` when it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{command[:3]} ended with {process.returncode}: {errors.read()[-3000:]}")
    return output, usage.ru_maxrss / 1024


def _fp32_ceiling(tokens: list[TokenRow]) -> float:
    """Tokens/s if only the products with frozen weights took time, at the fp32 speed of one of the model's shapes.

    Each frozen weight is used twice, forwards and for the gradient of its input, with two operations each.
    """
    scored = sum(label != IGNORED for row in tokens for label in row["labels"])
    share = scored / sum(len(row["input_ids"]) for row in tokens)
    layers, width, inner, keys, vocabulary = 30, 576, 1536, 192, 49152
    weights = layers * (2 * width * width + 2 * width * keys + 3 * width * inner) + share * vocabulary * width
    a, b = torch.randn(1024, width), torch.randn(width, inner)
    best = math.inf
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(10):
            a @ b
        best = min(best, (time.perf_counter() - started) / 10)
    return 2 * 1024 * width * inner / best / (4 * weights)


if __name__ == "__main__":
    sys.exit(main())
