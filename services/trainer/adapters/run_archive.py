"""Archive of ended runs: JSON files in the artifact store."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.trainer.domain.training_run import TrainingRun
from shared.artifacts import check_present
from shared.events import TrainingMetrics


@dataclass(frozen=True)
class FileRunArchive:
    """`<root>/runs/<digest of the job's id>.json`; `root` is an fsspec URL."""

    root: str

    async def keep(self, run: TrainingRun, curve: Sequence[TrainingMetrics]) -> None:
        content = {"run": run.model_dump(mode="json"), "curve": [point.model_dump(mode="json") for point in curve]}
        await asyncio.to_thread(self._write, run.id, json.dumps(content).encode())

    async def find(self, job_id: str) -> tuple[TrainingRun, list[TrainingMetrics]] | None:
        content = await asyncio.to_thread(self._read, job_id)
        if content is None:
            return None
        archived = json.loads(content)
        curve = [TrainingMetrics.model_validate(point) for point in archived["curve"]]
        return TrainingRun.model_validate(archived["run"]), curve

    def _path(self, job_id: str) -> tuple[Any, str]:
        # Job ids come from outside; a digest is a safe file name.
        fs, path = fsspec.core.url_to_fs(self.root)
        if isinstance(fs, LocalFileSystem):
            check_present(path)
        return fs, f"{path.rstrip('/')}/runs/{hashlib.sha256(job_id.encode()).hexdigest()}.json"

    def _write(self, job_id: str, content: bytes) -> None:
        fs, path = self._path(job_id)
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        scratch = f"{path}.{uuid4().hex}.part"
        fs.pipe_file(scratch, content)
        fs.mv(scratch, path)

    def _read(self, job_id: str) -> bytes | None:
        fs, path = self._path(job_id)
        try:
            return fs.cat_file(path)
        except FileNotFoundError:
            return None
