"""Settings of ingest, prefix `INGEST_`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside the common settings: how much a file may ask for, and where tokenizers are."""

    model_config = SettingsConfigDict(env_prefix="INGEST_", env_file=".env", extra="ignore")

    http_port: int = 8081
    base_models: dict[str, str] = Field(default_factory=dict)
    """Each base model's name and its folder, whose tokenizer counts tokens; without one, lengths are estimates."""
    work_dir: Path | None = None
    """Where files are unpacked and sorted, not shared by machines; the system's temporary folder when unset."""
    memory_gib: float = Field(default=4, gt=0)
    """How much memory the check of one file may take."""
    max_row_bytes: int = Field(default=1024**2, ge=1024, le=64 * 1024**2)
    max_unpacked_bytes: int = Field(default=8 * 1024**3, ge=1024**2)
    max_workbook_bytes: int = Field(default=256 * 1024**2, ge=1024**2)
    """The unpacked size of a spreadsheet, which is loaded as a whole."""
    keep_ready: bool = True
    """Whether a process waits for the next file, its imports done: half a second sooner, for 0.1 GB of memory."""
