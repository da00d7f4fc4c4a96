"""Settings of the local stack: state folder, ports, limits."""

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_MODEL = "smollm2-135m-instruct"
_CORES = os.cpu_count() or 1


class LocalSettings(BaseSettings):
    """Settings of the local stack; each is `ASSAY_<NAME>` in the environment or in `.env`."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_file=".env", extra="ignore")

    state_dir: Path = Path(".assay")
    models_dir: Path | None = Field(default=None, description="unpacked base models; `models` in the state folder")
    log_level: str = "INFO"

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8080
    nats_port: int = 14222
    nats_monitor_port: int = 14223
    mongo_port: int = 14224
    vllm_port: int = 14225
    ingest_port: int = 14231
    trainer_port: int = 14232
    evaluator_1_port: int = 14233
    evaluator_2_port: int = 14234
    review_port: int = 14235

    nats_max_file_store_gib: int = Field(default=4, ge=1, description="disk space for event streams")
    vllm_kv_cache_gib: int = Field(default=2, ge=1, description="memory for attention keys and values")
    # vLLM's `auto` leaves one core free; with a training beside it, two threads that wait for each other starve.
    vllm_cores: str = Field(default=f"0-{_CORES - 1}", description="cores that vLLM computes on, such as `0-1`")
    vllm_max_lora_rank: int = Field(default=8, ge=8, description="every adapter costs as much as one of this rank")
    ready_timeout_s: float = Field(default=600.0, gt=0)

    @property
    def state(self) -> Path:
        """The state folder as an absolute path."""
        return self.state_dir.resolve()

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def admin_key_file(self) -> Path:
        return self.state / "admin.key"

    @property
    def keys_file(self) -> Path:
        """The API keys' digests and scopes."""
        return self.state / "keys.json"

    @property
    def nats_config_file(self) -> Path:
        return self.state / "nats.conf"

    @property
    def base_model_dir(self) -> Path:
        return (self.models_dir or self.state / "models").resolve() / BASE_MODEL

    @property
    def supervisor_config(self) -> Path:
        return self.state / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """supervisord's socket; named by a digest, because the path of a socket is limited to about 100 characters."""
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"assay-{digest}.sock"

    @property
    def gateway_url(self) -> str:
        return f"http://{self.gateway_host}:{self.gateway_port}"

    @property
    def nats_passwords_file(self) -> Path:
        """The passwords of NATS's users."""
        return self.state / "nats-passwords.json"

    @property
    def mongo_url(self) -> str:
        return f"mongodb://127.0.0.1:{self.mongo_port}"

    @property
    def vllm_url(self) -> str:
        return f"http://127.0.0.1:{self.vllm_port}"
