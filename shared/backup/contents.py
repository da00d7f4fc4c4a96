"""What a backup holds. `backup.json` is written last, so that a folder without it is not a complete backup."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

_FILE = "backup.json"


class BackupError(Exception):
    """A backup cannot be made or restored; the message says what to do."""


class Contents(BaseModel):
    """The number of documents by database and collection, of messages by stream, and of artifact files."""

    made_at: datetime
    documents: dict[str, dict[str, int]]
    messages: dict[str, int]
    artifacts: int | None = None
    """None if the backup was made without artifacts."""

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_text(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Contents":
        """Raises `BackupError` if the folder holds no complete backup."""
        try:
            return cls.model_validate_json((folder / _FILE).read_text())
        except FileNotFoundError:
            raise BackupError(f"{folder / _FILE} is missing: this folder holds no complete backup") from None
        except ValidationError as error:
            raise BackupError(f"{folder / _FILE} cannot be read: {error}") from error

    def __str__(self) -> str:
        documents = sum(sum(counts.values()) for counts in self.documents.values())
        files = "without artifacts" if self.artifacts is None else f"{self.artifacts} artifact files"
        return f"{documents} documents, {sum(self.messages.values())} messages, {files}"
