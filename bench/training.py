"""Assay's training beside TRL's and LLaMA-Factory's defaults: `make bench-training`.

Same model, rows, order, batch, rank, rate and seed; the sides take turns, each with its own program's environment.
Speed counts real tokens, those of the rows, however many a side pads, and however many it need not compute again (Assay
computes what all rows of a batch begin with once); loading and tokenizing are not timed. Losses are the mean of all
steps. The peers compute in 16 bits, also where that is emulated, and round a good part of a young adapter's small
changes away: the same adapter after its first step loses 0.13 nats more in bfloat16 than in 32 bits. So losses are
compared at equal precision, by two sides more that are run for their loss alone: TRL in 32 bits, which Assay's must be
equal to, and Assay in 16 bits, which must be equal to both peers' defaults.
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
from services.trainer.adapters.token_rows import IGNORED, TokenRow, token_rows
from services.trainer.adapters.worker_processes import ENVIRONMENT

STEPS, BATCH, RATE, RANK, SEED, TURNS = 4, 8, 2e-4, 16, 7, 2
_SIDES = ("trl", "llama-factory", "assay")
_TRL_IN_32_BITS, _ASSAY_IN_16_BITS = "trl-fp32", "assay-bf16"


@dataclass
class Side:
    """What one side showed over its turns."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


def main() -> int:
    asked = argparse.ArgumentParser(description="Assay's training beside TRL's and LLaMA-Factory's defaults.")
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
    for _ in range(options.turns):
        for name, side in sides.items():
            _turn(name, side, model, factory, data)
    for name in (_TRL_IN_32_BITS, _ASSAY_IN_16_BITS):
        _turn(name, sides.setdefault(name, Side()), model, factory, data)
    speed = {name: real / min(side.seconds) for name, side in sides.items()}
    ceiling = _ceiling(tokens)
    mean = {name: sum(side.losses) / len(side.losses) for name, side in sides.items()}

    def apart(one: str, other: str) -> float:
        return abs(mean[one] - mean[other])

    table = [[n, speed[n], speed[n] / ceiling, mean[n], s.losses[-1], s.peak_mib] for n, s in sides.items()]
    show(["side", "tokens/s", "of ceiling", "mean loss", "last loss", "peak MiB"], table)
    ratios = [
        Ratio("times TRL", speed["assay"] / speed["trl"], 3.5, 5),
        Ratio("times LLaMA-Factory", speed["assay"] / speed["llama-factory"], 1.4, 2),
        Ratio("loss apart from TRL's, in 32 bits", apart("assay", _TRL_IN_32_BITS), 0.02, 0.02, most=True),
        Ratio("loss apart from TRL's, in 16 bits", apart(_ASSAY_IN_16_BITS, "trl"), 0.02, 0.02, most=True),
        Ratio("loss apart from LLaMA-Factory's", apart(_ASSAY_IN_16_BITS, "llama-factory"), 0.02, 0.02, most=True),
        Ratio("loss above the others'", mean["assay"] - min(mean[name] for name in _SIDES), 0.02, 0.02, most=True),
    ]
    return verdict("training", ratios, tokens_per_s=speed, ceiling_share=speed["assay"] / ceiling)


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


def _ceiling(tokens: list[TokenRow]) -> float:
    """Tokens/s if nothing but LoRA's matrix products took time, at the best speed of one of the model's own shapes.

    A frozen weight is multiplied twice, forwards and for the gradient of its input, at two operations each.
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
