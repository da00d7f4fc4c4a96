"""Settings of the gateway, prefix `GATEWAY_`."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import ServiceSettings

PartName = Literal["inference", "serving", "fine_tuning", "access", "events", "console"]
PARTS: tuple[PartName, ...] = ("inference", "serving", "fine_tuning", "access", "events", "console")


class Settings(ServiceSettings):
    """The common settings, the engines, and the limits of the API."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_file=".env", extra="ignore")

    http_port: int = 8080
    parts: Annotated[tuple[PartName, ...], NoDecode] = PARTS
    """The parts that this process runs, joined by commas; `inference` alone reads what other processes serve."""
    engines: dict[str, list[str]] = Field(default={"smollm2-135m-instruct": ["http://127.0.0.1:8000"]})
    """The pools: each base model's name, which is also its name in vLLM, and the URLs of its replicas."""
    engine_api_key: SecretStr = SecretStr("")
    engine_timeout_s: float = Field(default=600.0, gt=0)
    """The longest silence of an engine within one answer."""
    max_lora_rank: int = Field(default=16, ge=1)
    """The engines' own `--max-lora-rank`: adapters above it could be trained but not served."""
    prepare_share: float = Field(default=1.0, gt=0, le=1)
    """How much of a core checking and merging weights takes; with less, engines on the same cores keep their pace."""
    max_body_bytes: int = Field(default=4 * 1024**2, ge=1024)
    max_file_bytes: int = Field(default=1024**3, ge=1024)
    """The largest file that can be uploaded."""
    max_choices: int = Field(default=16, ge=1)
    """The largest `n` of one chat request."""
    max_in_flight: int = Field(default=256, ge=1)
    """Chat requests answered at once by one gateway; more get 429."""
    key_open_jobs: int = Field(default=1_000, ge=0)
    """Unfinished jobs of a person, unless the key has a limit of its own; so with the next three."""
    key_files: int = Field(default=100_000, ge=0)
    key_stored_bytes: int = Field(default=1024**4, ge=0)
    key_events_per_minute: int = Field(default=600, ge=1)
    settle_s: float = Field(default=0.5, gt=0)
    """How often gateways exchange the counts of keys."""
    max_event_streams: int = Field(default=64, ge=1)
    """Event subscribers of one gateway at once."""
    webhook_networks: list[str] = Field(default=[])
    """Networks (CIDR) that webhooks may reach beside the public internet, and by plain HTTP."""
    webhook_delays_s: list[float] = Field(default=[5, 30, 120, 600, 1800, 7200, 21600, 43200])
    """The waits before each further try of a webhook; after the last one it is a dead letter."""
    keep_versions: int = Field(default=3, ge=1)
    """Versions of one alias that stay loaded: the newest, and those to go back to."""
    on_demand: int = Field(default=4, ge=1)
    """Checkpoints that stay loaded because a request named them, and as many that are preloaded for review."""
    console_services: dict[str, str] = Field(
        default={
            "ingest": "http://127.0.0.1:8081",
            "trainer": "http://127.0.0.1:8082",
            "evaluator": "http://127.0.0.1:8083",
            "review": "http://127.0.0.1:8084",
        }
    )
    """The services whose pages and API the console passes on, by name, and their URLs."""
    job_event_days: float = Field(default=365, ge=0)
    """How long the events of jobs are kept; 0 for ever, as in the next four."""
    audit_days: float = Field(default=730, ge=0)
    usage_days: float = Field(default=730, ge=0)
    webhook_delivery_days: float = Field(default=90, ge=0)
    """Deliveries that succeeded or were given up; those that are still tried are kept."""
    preference_days: float = Field(default=0, ge=0)
    reconcile_s: float = Field(default=1.0, gt=0)
    probe_s: float = Field(default=30.0, gt=0)
    """How often a healthy replica must answer one token."""

    @field_validator("parts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value
