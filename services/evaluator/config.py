"""Settings of evaluator, prefix `EVALUATOR_`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_serializer
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """The engine, the judge, suites, and how models are asked."""

    model_config = SettingsConfigDict(env_prefix="EVALUATOR_", env_file=".env", extra="ignore")

    http_port: int = 8083
    engine_url: str = "http://127.0.0.1:8000"
    engine_mode: Literal["adapters", "weights"] = "adapters"
    """`adapters`: a shared engine that loads adapters; `weights`: a dedicated engine whose weights are replaced."""
    engine_urls: dict[str, str] = Field(default_factory=dict)
    """Engines of further base models, by the name of the model, as a JSON object; all have the same API key."""
    engine_api_key: SecretStr = SecretStr("")
    concurrency: int = Field(default=32, ge=1, le=1024)
    max_tokens: int = Field(default=1024, ge=1)
    """Maximum tokens of one answer."""
    metrics: tuple[str, ...] = ()
    """Additional metrics of test splits, as a JSON list of names."""
    suites: tuple[Path, ...] = ()
    """Folders with suites, as a JSON list."""
    lm_eval_tasks: Path | None = None
    """A folder with trusted task files of lm-evaluation-harness, besides those that it ships."""
    default_suite: str = ""
    """The suite of jobs that name none; empty for no suite."""
    key_suites: int = Field(default=500, ge=0)
    """Suites of a person, unless the key has a limit of its own."""
    request_timeout_s: float = Field(default=300, gt=0)
    judge_url: str = ""
    """An OpenAI-compatible server, without `/v1`, whose model judges answers; empty for no judge."""
    judge_model: str = ""
    judge_api_key: SecretStr = SecretStr("")
    judge_timeout_s: float = Field(default=60, gt=0)
    engine_wait_s: float = Field(default=180, ge=0)
    """How long a scoring waits for an unavailable engine before the event is redelivered later."""
    lease_s: float = Field(default=30, gt=0)
    """How long a scoring stays leased to an evaluator that no longer renews the lease."""

    @field_serializer("engine_api_key", "judge_api_key", when_used="json")
    def _for_worker(self, value: SecretStr) -> str:
        """Worker processes get their settings as JSON."""
        return value.get_secret_value()

    def engine_of(self, base_model: str) -> str:
        """The URL of the engine that serves a base model."""
        return self.engine_urls.get(base_model, self.engine_url)
