"""Settings of review, prefix `REVIEW_`."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside the common settings: the policy of jobs that name none."""

    model_config = SettingsConfigDict(env_prefix="REVIEW_", env_file=".env", extra="ignore")

    http_port: int = 8084
    default_policy: str = "automatic"
