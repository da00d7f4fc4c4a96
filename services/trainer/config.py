"""Settings of the trainer, prefix `TRAINER_`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside the common settings: what can be trained here, and how."""

    model_config = SettingsConfigDict(env_prefix="TRAINER_", env_file=".env", extra="ignore")

    http_port: int = 8082
    base_models: dict[str, str] = Field(default_factory=dict)
    """Each base model's name, and its folder or its name on a hub."""
    organization: str = Field(default="assay", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """The third part of `ft:<base>:<organization>:…`."""
    work_dir: Path | None = None
    """Where running jobs keep what they need for a while; the system's temporary folder when unset."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    niceness: int = Field(default=19, ge=0, le=19)
    """How far training stands back behind everything else on the machine."""
    threads: int = Field(default=0, ge=0, le=1024)
    """With how many threads each process of a job computes; 0 is its share of the cores."""
    processes: int = Field(default=0, ge=0, le=64)
    """In how many processes a job is trained; 0 is one for each GPU, and one where there is none."""
    memory_gib: float = Field(default=0, ge=0)
    """How much memory a job can use, which bounds its batches; 0 is the machine's. With GPUs give one GPU's."""
    sharded: bool = False
    """Whether each of them holds a part of the model (FSDP), for models that one GPU cannot hold, or all (DDP)."""
    keep_ready: bool = True
    """Whether a training process waits for the next job, its imports done: seconds sooner, for 0.6 GB of memory."""
