"""Settings that every service reads, from the environment or a `.env` file."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CommonSettings(BaseSettings):
    """Where the shared infrastructure is; environment prefix `ASSAY_`."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_file=".env", extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    """One URL, or several of one cluster joined by commas."""
    mongo_url: str = "mongodb://127.0.0.1:27017"
    database_prefix: str = "assay_"
    artifacts: str = ".assay/artifacts"
    """An fsspec URL: a folder, or `s3://bucket/prefix`."""
    cache_dir: Path = Path(".assay/cache")
    """Where fetched artifacts are kept on this machine."""
    keys_file: Path = Path(".assay/keys.json")
    http_host: str = "127.0.0.1"
    log_level: str = "INFO"
    instance: str = ""
    """Distinguishes replicas of one service in logs; generated when empty."""
    event_replicas: int = Field(default=1, ge=1, le=5)
    """JetStream copies of the event stream: 3 on a cluster of three."""
    event_max_bytes: int = Field(default=1024**3, ge=1024**2)


class ServiceSettings(BaseSettings):
    """The base of a service's own settings; the subclass names its prefix."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    common: CommonSettings = Field(default_factory=CommonSettings)
    http_port: int = Field(default=8000, ge=0, le=65535)
    max_body_bytes: int = Field(default=10 * 1024**2, ge=1024)
