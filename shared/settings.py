"""Settings that every service reads, from the environment or a `.env` file."""

import re
from pathlib import Path
from typing import Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from pydantic_settings import BaseSettings, SettingsConfigDict


class UrlWithPassword(str):
    """A URL whose `repr` hides user and password, which a `SecretStr` would hide together with the address."""

    def __repr__(self) -> str:
        return repr(re.sub(r"//[^@/,]*@", "//**********@", self))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class CommonSettings(BaseSettings):
    """Where the shared infrastructure is; environment prefix `ASSAY_`."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_file=".env", extra="ignore")

    nats_url: UrlWithPassword = UrlWithPassword("nats://127.0.0.1:4222")
    """One URL, or several of one cluster joined by commas."""
    mongo_url: UrlWithPassword = UrlWithPassword("mongodb://127.0.0.1:27017")
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
    inbox_days: float = Field(default=90, ge=1)
    """How long a service knows which events it has handled. An event that comes again later is handled again, so this
    must be longer than the longest outage."""


class ServiceSettings(BaseSettings):
    """The base of a service's own settings; the subclass names its prefix."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    common: CommonSettings = Field(default_factory=CommonSettings)
    http_port: int = Field(default=8000, ge=0, le=65535)
    max_body_bytes: int = Field(default=10 * 1024**2, ge=1024)
    head_timeout_s: float = Field(default=20, gt=0)
    """How long the head of a request may take."""
    body_timeout_s: float = Field(default=30, gt=0)
    """In which time the body of a request must bring 1 KiB, or its end."""
    stop_grace_s: int = Field(default=10, ge=0)
    """How long a service that is asked to stop lets running requests, such as streamed answers, go on."""
