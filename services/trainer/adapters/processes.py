"""Training processes: `python -m services.trainer.job`, each with a folder of its own that goes when it does."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.trainer.domain.run import Run
from services.trainer.ports import BaseModel
from shared.child import Child

_MODULE = "services.trainer.job"
_ENVIRONMENT = {
    # Threads that wait must sleep: on two cores a spinning one takes half of what serving needs.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


@dataclass(frozen=True)
class ChildProcess:
    """A child and its folder."""

    child: Child
    work_dir: Path

    def messages(self) -> AsyncIterator[dict[str, Any]]:
        return self.child.messages()

    def ask_to_stop(self) -> None:
        self.child.ask_to_stop()

    async def kill(self) -> None:
        await self.child.kill()
        shutil.rmtree(self.work_dir, ignore_errors=True)


@dataclass(frozen=True)
class ChildProcesses:
    """Starts them. `work_dir` None is the system's temporary folder."""

    artifacts_root: str
    work_dir: Path | None
    precision: str
    niceness: int

    async def start(self, run: Run, base_model: BaseModel) -> ChildProcess:
        assert run.plan is not None
        assert run.data is not None
        if self.work_dir is not None:
            self.work_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=self.work_dir))
        request = {
            "job_id": run.id,
            "plan": run.plan.model_dump(mode="json"),
            "base_model_path": base_model.path,
            "artifacts_root": self.artifacts_root,
            "train": run.data.train.artifact.model_dump(mode="json"),
            "validation": run.data.validation and run.data.validation.artifact.model_dump(mode="json"),
            "work_dir": str(folder),
            "resume_state": run.resume_state and run.resume_state.model_dump(mode="json"),
            "precision": self.precision,
            "niceness": self.niceness,
        }
        return ChildProcess(await Child.start(_MODULE, request, _ENVIRONMENT), folder)
