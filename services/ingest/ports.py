"""What ingest needs from the outside."""

from typing import Any, Protocol

from pydantic import BaseModel

from services.ingest.report import Report
from shared.events import Artifact, DatasetUploaded, PromptTemplate, Splits


class PreparationRequest(BaseModel):
    """What a worker needs to check a file. `earlier` is the index of the version before."""

    upload: DatasetUploaded
    template: PromptTemplate | None = None
    earlier: Artifact | None = None


class PreparationResult(BaseModel):
    """What a worker found; without splits the file is refused."""

    report: Report
    splits: Splits | None = None
    version: str = ""


class Preparer(Protocol):
    """Checks files and splits them, apart from the process that answers requests."""

    async def prepare(self, request: PreparationRequest) -> PreparationResult: ...


class Files(Protocol):
    """Artifacts by digest."""

    def fetch_file(self, artifact: Artifact, target: Any) -> None: ...

    def open(self, artifact: Artifact) -> Any: ...
