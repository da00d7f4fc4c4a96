"""Events about uploaded files."""

from typing import ClassVar, Literal

from shared.cloudevents import EventData
from shared.events.hyperparameters import TrainingSpec
from shared.events.values import Artifact, RowError, Splits


class DatasetUploaded(EventData):
    """A file was stored and waits to be checked. With `train`, training starts as soon as it is ready."""

    type: ClassVar[str] = "dataset.uploaded"
    file_id: str
    filename: str
    purpose: str = "fine-tune"
    artifact: Artifact
    owner: str = ""
    drop_bad_rows: bool = False
    split_seed: int = 0
    train: TrainingSpec | None = None
    created_at: int = 0

    def aggregate_id(self) -> str:
        return self.file_id


class DatasetReady(EventData):
    """A file was found clean and was split."""

    type: ClassVar[str] = "dataset.ready"
    file_id: str
    format: Literal["messages"] = "messages"
    rows: int
    dropped_rows: int = 0
    duplicate_rows: int = 0
    splits: Splits
    owner: str = ""
    train: TrainingSpec | None = None

    def aggregate_id(self) -> str:
        return self.file_id


class DatasetRejected(EventData):
    """A file cannot be trained on. `errors` holds the first of them, `bad_rows` counts all lines that are bad."""

    type: ClassVar[str] = "dataset.rejected"
    file_id: str
    rows: int
    bad_rows: int
    errors: tuple[RowError, ...]

    def aggregate_id(self) -> str:
        return self.file_id
