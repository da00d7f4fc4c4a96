"""What ingest needs from the outside."""

from typing import Any, Protocol

from pydantic import BaseModel

from services.ingest.report import Report
from shared.events import Artifact, DatasetUploaded, Failure, PromptTemplate, Splits


class SuiteToCompare(BaseModel):
    """A suite whose questions are looked for in the training rows."""

    name: str
    revision: int
    questions: Artifact


class PreparationRequest(BaseModel):
    """What a worker needs to check a file. `earlier` is the index of the version before."""

    upload: DatasetUploaded
    template: PromptTemplate | None = None
    earlier: Artifact | None = None
    suites: list[SuiteToCompare] = []
    contexts: dict[str, int] = {}
    """The tokens that the engines of each base model take, where they are known."""


class PreparationResult(BaseModel):
    """What a worker found; without splits the file is refused."""

    report: Report
    splits: Splits | None = None
    version: str = ""


class RenderRequest(BaseModel):
    """The stored rows of a dataset, and the template to put around them."""

    rows: Artifact
    fields: Artifact | None
    index: Artifact
    template: PromptTemplate


class RenderResult(BaseModel):
    """The rendered splits, or why a row cannot be rendered."""

    splits: Splits | None = None
    error: Failure | None = None


class Renderer(Protocol):
    """Renders rows, apart from the process that answers requests."""

    async def render(self, request: RenderRequest) -> RenderResult: ...


class Preparer(Protocol):
    """Checks files and splits them, apart from the process that answers requests."""

    async def prepare(self, request: PreparationRequest) -> PreparationResult: ...


class Files(Protocol):
    """Artifacts by digest."""

    def fetch_file(self, artifact: Artifact, target: Any) -> None: ...

    def open(self, artifact: Artifact) -> Any: ...


class LookedUpFiles(Protocol):
    """Artifacts of which one asks whether they are stored."""

    def contains(self, artifact: Artifact) -> bool: ...


class StoredFiles(Files, Protocol):
    """Artifacts that are read as a whole, and stored."""

    def read(self, artifact: Artifact) -> bytes: ...

    def put_bytes(self, content: bytes) -> Artifact: ...
