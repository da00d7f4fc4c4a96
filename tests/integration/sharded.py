"""Two processes that hold a part of the tiny model each."""

import json
import os
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor

from tests.integration import forkserver_workers
from tests.ports import free_port
from tests.unit.trainer import in_process, tiny_model


def train(base: Path, folder: Path, resume: str | None = None, **asked: Any) -> dict[str, Any]:
    """Train in both; the first one's losses by step, how many parameters are shared, and its checkpoints' states."""
    folder.mkdir()
    port = free_port()
    made = [
        forkserver_workers.context().Process(target=_work, args=(n, port, base, folder, resume, asked))
        for n in range(2)
    ]
    for process in made:
        process.start()
    for process in made:
        process.join()
        assert process.exitcode == 0
    told: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return told | {"losses": {int(step): loss for step, loss in told["losses"].items()}}


def _work(rank: int, port: int, base: Path, folder: Path, resume: str | None, asked: dict[str, Any]) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    _on_a_processor()
    rows, held_out = tiny_model.rows(16), tiny_model.rows(5)
    start = Path(resume) if resume else None
    made = in_process.train(base, folder, rows, held_out, resume=start, sharded=True, **asked)
    if rank == 0:
        shared = sum(isinstance(parameter, DTensor) for parameter in made.trainer.model.parameters())
        states = [str(made.folder(written.state)) for written in made.checkpoints]
        (folder / "told.json").write_text(json.dumps({"losses": made.losses, "shared": shared, "states": states}))


def _on_a_processor() -> None:
    """Accelerate shares models out on GPUs alone, though PyTorch can on processors: let it."""
    plain = AcceleratorState.__init__
    given: list[Any] = []

    def begin(state: Any, *args: Any, fsdp_plugin: Any = None, **settings: Any) -> None:
        plain(state, *args, fsdp_plugin=fsdp_plugin, **settings)
        given.extend([fsdp_plugin] if fsdp_plugin else [])
        if given:
            state.distributed_type, state.fsdp_plugin = DistributedType.FSDP, given[-1]

    AcceleratorState.__init__ = begin
