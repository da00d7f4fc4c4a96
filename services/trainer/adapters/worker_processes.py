"""Worker processes: `python -m services.trainer.worker`, each with a temporary folder."""

import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.domain.training_run import TrainingRun
from services.trainer.ports import BaseModel
from shared.child import Child, Children

_MODULE = "services.trainer.worker"
SAVE_AND_STOP = signal.SIGUSR1
ENVIRONMENT = {
    # A step is thousands of matrix products of a fraction of a millisecond. Threads that sleep between them make it
    # 1.6 times slower (2.1 instead of 1.3 s on two cores), so they spin for less than one, then free the core.
    "GOMP_SPINCOUNT": "100000",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def worker_request(run: TrainingRun, base_model: BaseModel, artifacts_root: str, work_dir: Path) -> dict[str, Any]:
    """The `WorkerRequest` of a run, as JSON."""
    assert run.plan is not None
    assert run.data is not None
    resume_from = run.resume_from
    resume_step = resume_from.step if resume_from else 0
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
        "resume_state": resume_from and resume_from.state.model_dump(mode="json"),
        "resume_step": resume_step,
        "validations": [known.model_dump() for known in run.validations if known.step <= resume_step],
    }


@dataclass(frozen=True, eq=False)
class WorkerProcess:
    """A worker process; its folder is deleted when it is killed."""

    child: Child
    work_dir: Path
    after_end: Callable[[], Awaitable[None]]

    def messages(self) -> AsyncIterator[dict[str, Any]]:
        return self.child.messages()

    def ask_to_stop(self) -> None:
        self.child.ask_to_stop()

    def ask_to_save_and_stop(self) -> None:
        self.child.ask_to_stop(SAVE_AND_STOP)

    async def kill(self) -> None:
        await self.child.kill()
        shutil.rmtree(self.work_dir, ignore_errors=True)
        await self.after_end()


class WorkerProcesses:
    """Starts worker processes. `options` are the same for every job; `work_dir` None is the system's temporary folder.

    With `keep_ready` one started process, whose imports take 15 seconds, waits for the next job. It is started with
    the service and after each job, never during one.
    """

    def __init__(
        self, artifacts_root: str, work_dir: Path | None, options: Mapping[str, Any], keep_ready: bool
    ) -> None:
        self._artifacts_root = artifacts_root
        self._work_dir = work_dir
        self._options = options
        self._keep_ready = keep_ready
        self._children = Children(_MODULE, ENVIRONMENT)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        await self._prepare_next()
        try:
            yield
        finally:
            self._keep_ready = False
            await self._children.close()

    async def start(self, run: TrainingRun, base_model: BaseModel) -> WorkerProcess:
        if self._work_dir is not None:
            self._work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=self._work_dir))
        request = worker_request(run, base_model, self._artifacts_root, folder) | dict(self._options)
        return WorkerProcess(await self._children.start(request), folder, self._prepare_next)

    async def _prepare_next(self) -> None:
        if self._keep_ready:
            await self._children.keep_ready()
