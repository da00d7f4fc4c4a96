"""Files of a checkpoint: optimizer, scheduler and random state as safetensors and JSON; no pickles."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor

_OPTIMIZER_TENSORS = "optimizer.safetensors"
_OPTIMIZER_SETTINGS = "optimizer.json"
_SCHEDULER = "scheduler.json"
_RANDOM_TENSORS = "random.safetensors"
_RANDOM_NUMBERS = "random.json"


def save_optimizer(optimizer: torch.optim.Optimizer, folder: Path | None) -> None:
    """Tensors are named `<parameter>.<name>`; settings and numbers are saved as JSON.

    With sharded tensors all processes must call this together; those with no folder write nothing.
    """
    state = optimizer.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                whole = value.full_tensor() if isinstance(value, DTensor) else value
                tensors[f"{parameter}.{name}"] = whole.detach().cpu().contiguous()
            else:
                numbers.setdefault(str(parameter), {})[name] = value
    if folder is None:
        return
    save_file(tensors, folder / _OPTIMIZER_TENSORS)
    settings = {"groups": state["param_groups"], "numbers": numbers}
    (folder / _OPTIMIZER_SETTINGS).write_text(json.dumps(settings))


def load_optimizer(optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """The reverse of `save_optimizer`; of sharded tensors each process takes its part."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    settings = json.loads((folder / _OPTIMIZER_SETTINGS).read_text())
    state: dict[int, dict[str, Any]] = {int(parameter): dict(n) for parameter, n in settings["numbers"].items()}
    for key, tensor in load_file(folder / _OPTIMIZER_TENSORS).items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = _distributed_like(tensor, parameters[int(parameter)])
    optimizer.load_state_dict({"state": state, "param_groups": settings["groups"]})


def _distributed_like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """The tensor, sharded over the processes like its parameter."""
    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    tensor = tensor.to(parameter.device)
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)


def save_scheduler(scheduler: torch.optim.lr_scheduler.LRScheduler, folder: Path) -> None:
    """Saves a scheduler's counters; its functions follow from the plan."""
    state = {key: value for key, value in scheduler.state_dict().items() if key != "lr_lambdas"}
    (folder / _SCHEDULER).write_text(json.dumps(state))


def load_scheduler(scheduler: torch.optim.lr_scheduler.LRScheduler, folder: Path) -> None:
    """The reverse of `save_scheduler`."""
    lambdas = scheduler.state_dict().get("lr_lambdas", [])
    scheduler.load_state_dict({**json.loads((folder / _SCHEDULER).read_text()), "lr_lambdas": [None for _ in lambdas]})


def save_random(folder: Path) -> None:
    """Saves the state of all random number generators that training may use."""
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors |= {f"cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    save_file(tensors, folder / _RANDOM_TENSORS)
    name, keys, *rest = np.random.get_state()
    numbers = {"python": random.getstate(), "numpy": [name, np.asarray(keys).tolist(), *rest]}
    (folder / _RANDOM_NUMBERS).write_text(json.dumps(numbers))


def load_random(folder: Path) -> None:
    """The reverse of `save_random`; additional GPUs keep their own state."""
    tensors = load_file(folder / _RANDOM_TENSORS)
    torch.set_rng_state(tensors["cpu"])
    for i in range(torch.cuda.device_count()):
        if f"cuda.{i}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda.{i}"], i)
    numbers = json.loads((folder / _RANDOM_NUMBERS).read_text())
    version, internal, gauss = numbers["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = numbers["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
