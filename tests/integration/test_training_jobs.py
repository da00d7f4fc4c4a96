"""The worker process on a tiny model: real TRL, real checkpoints, real signals."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from services.trainer.domain.curve.advice import ADVICE
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.worker_messages import (
    CheckpointWritten,
    JobFailed,
    JobFinished,
    JobStopped,
    StepDone,
    WorkerMessage,
    parse_message,
)
from shared.artifacts import Artifacts
from shared.events import Artifact, Hyperparameters, TrainingSpec
from tests.integration import forkserver_workers, sharded
from tests.unit.trainer import in_process, tiny_model

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

ASKED = Hyperparameters(n_epochs=3, batch_size=4, learning_rate=0.01, n_checkpoints=3, lora_rank=4)


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("base"))


def start(
    tmp_path: Path, base_model: Path, resume_state: Artifact | None = None, **changes: object
) -> forkserver_workers.ForkedProcess:
    artifacts = Artifacts(str(tmp_path / "artifacts"))
    asked, rows = changes.pop("hyperparameters", ASKED), changes.pop("rows", 16)
    spec = TrainingSpec(base_model="tiny", hyperparameters=asked, seed=3)
    request = {
        "job_id": "job",
        "plan": plan_training("job", spec, "name", rows, tiny_model.SHAPE).model_dump(mode="json"),
        "base_model_path": str(base_model),
        "artifacts_root": str(tmp_path / "artifacts"),
        "train": artifacts.put_bytes(tiny_model.rows(rows)).model_dump(mode="json"),
        "validation": artifacts.put_bytes(tiny_model.rows(5)).model_dump(mode="json"),
        "work_dir": str(tmp_path / f"work-{resume_state.sha256[:8] if resume_state else 'first'}"),
        "resume_state": resume_state and resume_state.model_dump(mode="json"),
    }
    return forkserver_workers.start(request | changes)


async def messages_of(child: forkserver_workers.ForkedProcess) -> list[WorkerMessage]:
    return [parse_message(message) async for message in child.messages()]


def losses(messages: list[WorkerMessage]) -> dict[int, float]:
    return {m.step: m.metrics.train_loss or 0.0 for m in messages if isinstance(m, StepDone)}


async def test_a_resumed_job_has_the_curve_of_an_uninterrupted_one(tmp_path: Path, base_model: Path) -> None:
    whole = await messages_of(start(tmp_path, base_model))
    checkpoints = [m for m in whole if isinstance(m, CheckpointWritten)]
    assert [c.step for c in checkpoints] == [4, 8, 12]
    rest = await messages_of(start(tmp_path, base_model, checkpoints[0].state))
    assert list(losses(rest)) == list(range(5, 13))
    for step, loss in losses(rest).items():
        assert loss == pytest.approx(losses(whole)[step], abs=1e-4)
    again = [m for m in rest if isinstance(m, CheckpointWritten)]
    assert [c.step for c in again] == [8, 12]
    store, cache = Artifacts(str(tmp_path / "artifacts")), tmp_path / "cache"
    name = "adapter_model.safetensors"
    first, second = (load_file(store.fetch_folder(c[-1].adapter, cache) / name) for c in (checkpoints, again))
    assert max(abs(first[key] - second[key]).max() for key in first) < 1e-4
    ends = [messages[-1] for messages in (whole, rest)]
    assert all(isinstance(end, JobFinished) for end in ends)
    last_step = [message for message in whole if isinstance(message, StepDone)][-1]
    assert ends[0].trained_tokens == ends[1].trained_tokens == last_step.trained_tokens


async def test_training_learns_and_validates_and_saves_no_pickle_and_no_local_path(
    tmp_path: Path, base_model: Path
) -> None:
    messages = await messages_of(start(tmp_path, base_model))
    curve = losses(messages)
    assert curve[12] < curve[1] - 0.4
    checkpoints = [m for m in messages if isinstance(m, CheckpointWritten)]
    validated = [c.metrics.full_valid_loss for c in checkpoints]
    assert None not in validated
    assert validated[-1] < validated[0]
    store = Artifacts(str(tmp_path / "artifacts"))
    adapter = store.fetch_folder(checkpoints[-1].adapter, tmp_path / "cache")
    assert sorted(f.name for f in adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
    state = store.fetch_folder(checkpoints[-1].state, tmp_path / "cache")
    assert {f.suffix for f in state.iterdir()} == {".json", ".safetensors"}
    finished = messages[-1]
    assert isinstance(finished, JobFinished)
    assert finished.peak_memory_bytes > 10**8


async def test_a_job_stops_between_two_steps_on_request(tmp_path: Path, base_model: Path) -> None:
    child = start(tmp_path, base_model, hyperparameters=ASKED.model_copy(update={"n_epochs": 100}))
    messages = []
    async with asyncio.timeout(120):
        async for message in child.messages():
            messages.append(parse_message(message))
            if isinstance(messages[-1], StepDone) and messages[-1].step == 2:
                child.ask_to_stop()
    assert isinstance(messages[-1], JobStopped)
    assert max(losses(messages)) < 100


async def test_permanent_failures_have_a_code_and_advice(tmp_path: Path, base_model: Path) -> None:
    store = Artifacts(str(tmp_path / "artifacts"))
    mute = store.put_bytes(json.dumps({"messages": [{"role": "user", "content": "hello?"}]}).encode())
    lost = store.put_bytes(b"x").model_copy(update={"sha256": "0" * 64})

    async def failure(model: Path, **changes: object) -> JobFailed:
        last = (await messages_of(start(tmp_path, model, **changes)))[-1]
        assert isinstance(last, JobFailed)
        return last

    missing, empty, damaged, long = await asyncio.gather(
        failure(tmp_path / "nowhere"),
        failure(base_model, train=mute.model_dump(mode="json")),
        failure(base_model, train=lost.model_dump(mode="json")),
        failure(base_model, hyperparameters=ASKED.model_copy(update={"max_length": 16})),
    )
    assert missing.code == "base_model_unusable"
    assert empty.code == "empty_training_split"
    assert "no row" in empty.message
    assert damaged.code == "artifact_damaged"
    assert long.code == "rows_too_long"
    assert "16 rows have more than 16 tokens" in long.message


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"memory": 300 * 2**20, "rows": 2048}, "out_of_memory"), ({"file_size": 20_000}, "disk_full")],
)
async def test_a_lack_of_memory_or_disk_is_reported(
    tmp_path: Path, base_model: Path, limits: dict[str, int], code: str
) -> None:
    asked = ASKED.model_copy(update={"batch_size": 1024, "n_epochs": 1})
    [*_, last] = await messages_of(start(tmp_path, base_model, hyperparameters=asked, **limits))
    assert isinstance(last, JobFailed)
    assert last.code == code
    assert ADVICE[code] in last.message


async def test_a_loss_that_is_not_a_number_fails_the_job(tmp_path: Path, base_model: Path) -> None:
    broken = shutil.copytree(base_model, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][:] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    failed = (await messages_of(start(tmp_path, broken)))[-1]
    assert isinstance(failed, JobFailed)
    assert failed.code == "loss_diverged"
    assert failed.message.startswith("the loss is not a number at step 1 of 12. Ask for a lower learning rate")


@pytest.mark.long
async def test_two_processes_give_the_curve_of_one(tmp_path: Path, base_model: Path) -> None:
    two = await messages_of(start(tmp_path, base_model, processes=2))
    asked = ASKED.model_dump(exclude_none=True)
    one = in_process.train(base_model, tmp_path / "one", tiny_model.rows(16), tiny_model.rows(5), seed=3, **asked)
    assert isinstance(two[-1], JobFinished)
    assert list(losses(two)) == list(range(1, 13))
    for step, loss in losses(two).items():
        assert loss == pytest.approx(one.losses[step], abs=1e-3)
    # Only rank 0 sends messages and saves.
    checkpoints = [m for m in two if isinstance(m, CheckpointWritten)]
    assert [c.step for c in checkpoints] == [4, 8, 12]
    both = Artifacts(str(tmp_path / "artifacts")).fetch_folder(checkpoints[-1].adapter, tmp_path / "cache")
    folders = both, one.folder(one.checkpoints[-1].adapter)
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in folders)
    assert max(abs(first[key] - second[key]).max() for key in first) < 1e-3


@pytest.mark.long
@pytest.mark.parametrize("method", [{"lora_rank": 4}, {"tuning": "full"}], ids=["lora", "full"])
def test_sharded_processes_give_the_curve_of_one(tmp_path: Path, base_model: Path, method: dict[str, Any]) -> None:
    asked = {"n_epochs": 3, "batch_size": 4, "learning_rate": 0.005, "n_checkpoints": 3, **method}
    one = in_process.train(base_model, tmp_path / "one", tiny_model.rows(16), tiny_model.rows(5), **asked)
    two = sharded.train(base_model, tmp_path / "two", **asked)
    assert two["shared"] == len(list(one.trainer.model.parameters()))
    assert two["losses"] == pytest.approx(one.losses, abs=1e-3)
    # Each process resumes with its part of the weights and of the optimizer state.
    rest = sharded.train(base_model, tmp_path / "rest", two["states"][1], **asked)
    assert rest["losses"] == pytest.approx({step: one.losses[step] for step in range(9, 13)}, abs=1e-3)
    names = ("optimizer.safetensors", "model.safetensors" if "tuning" in method else "adapter_model.safetensors")
    for name in names:
        first, second = (load_file(Path(folder) / name) for folder in (two["states"][2], rest["states"][0]))
        assert first.keys() == second.keys()
        assert max(abs(first[key] - second[key]).max() for key in first) < 1e-3
