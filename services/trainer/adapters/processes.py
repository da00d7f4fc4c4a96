"""Training processes: `python -m services.trainer.job`, each with a folder of its own that goes when it does."""

import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.domain.run import Run
from services.trainer.ports import BaseModel
from shared.child import Child, Children

_MODULE = "services.trainer.job"
SAVE_AND_STOP = signal.SIGUSR1
ENVIRONMENT = {
    # A step is thousands of products of a fraction of a millisecond. Threads that sleep at once between them made it
    # 1.6 times slower (2.1 against 1.3 s on two cores); so they spin for less than one, then leave the core to serving.
    "GOMP_SPINCOUNT": "100000",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def job_request(run: Run, base_model: BaseModel, artifacts_root: str, work_dir: Path) -> dict[str, Any]:
    """What `services.trainer.job` is asked for a run, as JSON."""
    assert run.plan is not None
    assert run.data is not None
    return {
        "job_id": run.id,
        "plan": run.plan.model_dump(mode="json"),
        "base_model_path": base_model.path,
        "artifacts_root": artifacts_root,
        "train": run.data.train.artifact.model_dump(mode="json"),
        "validation": run.data.validation and run.data.validation.artifact.model_dump(mode="json"),
        "work_dir": str(work_dir),
        "general": run.data.general and run.data.general.artifact.model_dump(mode="json"),
        "start": run.data.start and run.data.start.model_dump(mode="json"),
        "resume_state": run.resume_state and run.resume_state.model_dump(mode="json"),
    }


@dataclass(frozen=True)
class ChildProcess:
    """A child and its folder."""

    child: Child
    work_dir: Path
    when_gone: Callable[[], Awaitable[None]]

    def messages(self) -> AsyncIterator[dict[str, Any]]:
        return self.child.messages()

    def ask_to_stop(self) -> None:
        self.child.ask_to_stop()

    def ask_to_save_and_stop(self) -> None:
        self.child.ask_to_stop(SAVE_AND_STOP)

    async def kill(self) -> None:
        await self.child.kill()
        shutil.rmtree(self.work_dir, ignore_errors=True)
        await self.when_gone()


class ChildProcesses:
    """Starts them. `work_dir` None is the system's temporary folder, `how` is what every job is asked for.

    With `keep_ready` a process that has done its imports, 15 seconds of work, waits for the next job. It begins its
    imports when the service starts and when a job has ended, never beside one.
    """

    def __init__(self, artifacts_root: str, work_dir: Path | None, how: Mapping[str, Any], keep_ready: bool) -> None:
        self._artifacts_root = artifacts_root
        self._work_dir = work_dir
        self._how = how
        self._keep_ready = keep_ready
        self._children = Children(_MODULE, ENVIRONMENT)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        await self._prepare()
        try:
            yield
        finally:
            self._keep_ready = False
            await self._children.close()

    async def start(self, run: Run, base_model: BaseModel) -> ChildProcess:
        if self._work_dir is not None:
            self._work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=self._work_dir))
        request = job_request(run, base_model, self._artifacts_root, folder) | dict(self._how)
        return ChildProcess(await self._children.start(request), folder, self._prepare)

    async def _prepare(self) -> None:
        if self._keep_ready:
            await self._children.keep_ready()
