"""Checks each file in a child process."""

import asyncio
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingest.config import Settings
from services.ingest.ports import PreparationRequest, PreparationResult, RenderRequest, RenderResult
from services.ingest.report import Report
from shared import telemetry
from shared.child import ChildDied, Children
from shared.events import RowError

_MODULE = "services.ingest.worker"
_ATTEMPTS = 2
_PREFIX = "assay-ingest-"
_log = telemetry.logger(__name__)


class Unavailable(Exception):
    """The artifact store is away, or the disk is full. The file is not to blame: its event is delivered again."""


@dataclass
class WorkerProcess:
    """Starts one process a file; one more waits ready where the settings say so."""

    settings: Settings

    def __post_init__(self) -> None:
        self._children = Children(_MODULE)
        self._warming: asyncio.Task[None] | None = None

    async def prepare(self, request: PreparationRequest) -> PreparationResult:
        """Refuses a file whose check ended the process twice."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                asked = {"request": request.model_dump(mode="json")}
                return PreparationResult.model_validate(await self._ask(asked, new=attempt > 1))
            except ChildDied as died:
                _log.warning("the check of a file died", file=request.upload.file_id, attempt=attempt, error=str(died))
        return _died()

    async def render(self, request: RenderRequest) -> RenderResult:
        """Raises `ChildDied` where the process ended: the event is then delivered again."""
        return RenderResult.model_validate(await self._ask({"render": request.model_dump(mode="json")}))

    async def warm(self) -> None:
        """See that a process waits for the next file."""
        if self.settings.keep_ready:
            await self._children.keep_ready()

    def clean(self) -> None:
        """Remove what killed processes of this service left behind."""
        for folder in Path(self.settings.work_dir or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            owner = folder.name.removeprefix(_PREFIX).split("-")[0]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                shutil.rmtree(folder, ignore_errors=True)

    async def close(self) -> None:
        await self._children.close()

    async def _ask(self, asked: dict[str, Any], *, new: bool = False) -> Any:
        # Made here, so that it goes when the child dies.
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=self.settings.work_dir) as scratch:
            child = await self._children.start({**self._document(scratch), **asked}, new=new)
            self._warming = asyncio.create_task(self.warm())
            try:
                answer = await child.reply()
                if "unavailable" in answer:
                    raise Unavailable(answer["unavailable"])
                return answer
            finally:
                await child.kill()

    def _document(self, scratch: str) -> dict[str, Any]:
        settings = self.settings
        return {
            "artifacts": settings.common.artifacts,
            "scratch": scratch,
            "memory_gib": settings.memory_gib,
            "base_models": settings.base_models,
            "limits": {
                "row": settings.max_row_bytes,
                "unpacked": settings.max_unpacked_bytes,
                "workbook": settings.max_workbook_bytes,
            },
        }


def _died() -> PreparationResult:
    reason = "the check of the file ended unexpectedly, twice"
    fix = "save the file in another format and upload it again"
    return PreparationResult(
        report=Report(errors=[RowError(line=0, field="", reason=reason, code="check_failed", fix=fix)])
    )
