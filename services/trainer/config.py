"""Settings of the trainer, prefix `TRAINER_`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings beside those that all services share."""

    model_config = SettingsConfigDict(env_prefix="TRAINER_", env_file=".env", extra="ignore")

    http_port: int = 8082
    base_models: dict[str, str] = Field(default_factory=dict)
    """Names of the base models, each with its folder or its name on a hub."""
    organization: str = Field(default="assay", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """The third part of `ft:<base>:<organization>:…`."""
    work_dir: Path | None = None
    """Folder for temporary files of running jobs; the system's temporary folder if unset."""
    precision: Literal["auto", "fp32", "bf16", "mixed"] = "auto"
    """Number formats of the training. `mixed`: frozen weights under a LoRA adapter in bf16, all else in fp32."""
    niceness: int = Field(default=19, ge=0, le=19)
    """CPU priority of the training; 19 is the lowest."""
    threads: int = Field(default=0, ge=0, le=1024)
    """Threads of each process of a job; 0 divides the cores equally."""
    processes: int = Field(default=0, ge=0, le=64)
    """Processes of one job; 0 is one for each GPU, and one without GPUs."""
    memory_gib: float = Field(default=0, ge=0)
    """Memory that one job can use, which limits its batches; 0 is the machine's. With GPUs give the memory of one."""
    sharded: bool = False
    """Whether each process holds a part of the model (FSDP), for models larger than one GPU, or a copy (DDP)."""
    keep_ready: bool = True
    """Whether a started worker waits for the next job: saves seconds for each job, for 0.6 GB of memory."""
    point_days: float = Field(default=365, ge=0)
    """How long the points of loss curves are kept; 0 for ever. The metrics file of a job stays."""
    shutdown_grace_s: float = Field(default=15, ge=0)
    """How long a trainer that is asked to stop waits for its worker to save the state of a job."""
