"""Ended runs as JSON files in the artifact store, found by their job's id."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import fsspec

from services.trainer.domain.run import Run
from shared.events import TrainingMetrics


@dataclass(frozen=True)
class FileArchive:
    """`<root>/runs/<digest of the job's id>.json`; `root` is an fsspec URL."""

    root: str

    async def keep(self, run: Run, curve: Sequence[TrainingMetrics]) -> None:
        content = {"run": run.model_dump(mode="json"), "curve": [point.model_dump(mode="json") for point in curve]}
        await asyncio.to_thread(self._write, run.id, json.dumps(content).encode())

    async def find(self, job_id: str) -> tuple[Run, list[TrainingMetrics]] | None:
        content = await asyncio.to_thread(self._read, job_id)
        if content is None:
            return None
        kept = json.loads(content)
        return Run.model_validate(kept["run"]), [TrainingMetrics.model_validate(point) for point in kept["curve"]]

    def _place(self, job_id: str) -> tuple[Any, str]:
        # A job's id comes from outside; its digest is a safe name for a file.
        fs, path = fsspec.core.url_to_fs(self.root)
        return fs, f"{path.rstrip('/')}/runs/{hashlib.sha256(job_id.encode()).hexdigest()}.json"

    def _write(self, job_id: str, content: bytes) -> None:
        fs, path = self._place(job_id)
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        scratch = f"{path}.{uuid4().hex}.part"
        fs.pipe_file(scratch, content)
        fs.mv(scratch, path)

    def _read(self, job_id: str) -> bytes | None:
        fs, path = self._place(job_id)
        try:
            return fs.cat_file(path)
        except FileNotFoundError:
            return None
