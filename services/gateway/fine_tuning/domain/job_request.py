"""What a caller may ask for when creating a job: OpenAI's parameters, and Assay's beside them."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.gateway.common.domain.errors import BadRequest
from services.gateway.common.domain.validation import bad_request
from services.gateway.fine_tuning.domain import job_metadata
from shared.events import Hyperparameters, TrainingSpec

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
DEFAULT_SEED = 0
_METADATA = re.compile(r"metadata\[(.{1,64})\]")


class AskedHyperparameters(Hyperparameters):
    """Hyperparameters as a caller sends them: numbers, `"auto"` or nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _auto(cls, value: Any) -> Any:
        return {k: None if v == "auto" else v for k, v in value.items()} if isinstance(value, dict) else value


class Supervised(BaseModel):
    """The parameters of supervised fine-tuning."""

    model_config = ConfigDict(extra="forbid", strict=True)

    hyperparameters: AskedHyperparameters | None = None


class Method(BaseModel):
    """How to train."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["supervised"] = "supervised"
    supervised: Supervised | None = None


class JobRequest(BaseModel):
    """The body of `POST /v1/fine_tuning/jobs`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(min_length=1, max_length=256)
    training_file: str = Field(min_length=1, max_length=128)
    validation_file: str | None = Field(default=None, max_length=128)
    suffix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    metadata: dict[str, str] | None = None
    integrations: list[Any] | None = Field(default=None, max_length=0)
    method: Method | None = None
    hyperparameters: AskedHyperparameters | None = None

    @field_validator("metadata")
    @classmethod
    def _limits(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        if len(pairs := value or {}) > MAX_METADATA_PAIRS:
            raise ValueError(f"has {len(pairs)} pairs; at most {MAX_METADATA_PAIRS} are allowed")
        for key, text in pairs.items():
            if "\x00" in key or "\x00" in text:
                raise ValueError("keys and values must not hold a NUL character")
            if not 1 <= len(key) <= MAX_METADATA_KEY or len(text) > MAX_METADATA_VALUE:
                raise ValueError(
                    f"keys must have 1 to {MAX_METADATA_KEY} characters, values at most {MAX_METADATA_VALUE}"
                )
        job_metadata.read(pairs)
        return value

    def spec(self) -> TrainingSpec:
        """What to train."""
        metadata = self.metadata or {}
        chosen = job_metadata.read(metadata)
        return TrainingSpec(
            base_model=self.model,
            hyperparameters=_merged(self),
            suffix=self.suffix,
            seed=DEFAULT_SEED if self.seed is None else self.seed,
            policy=chosen.policy,
            priority=chosen.priority,
            template=chosen.template,
            decoding=chosen.decoding,
            allow_contaminated=chosen.allow_contaminated,
            metadata=metadata,
        )


def read(body: Any) -> JobRequest:
    """Check a body; raises `BadRequest` that names the first wrong parameter."""
    _refuse_other_methods(body)
    try:
        asked = JobRequest.model_validate(body)
    except ValidationError as error:
        raise bad_request(error) from None
    _merged(asked)
    return asked


def _merged(asked: JobRequest) -> Hyperparameters:
    """Hyperparameters from `method` and from the older top-level field; raises `BadRequest` where they contradict."""
    supervised = asked.method and asked.method.supervised
    chosen = (supervised and supervised.hyperparameters) or AskedHyperparameters()
    older = asked.hyperparameters or AskedHyperparameters()
    values, others = chosen.model_dump(exclude_none=True), older.model_dump(exclude_none=True)
    for name, value in others.items():
        if values.setdefault(name, value) != value:
            message = f"'hyperparameters.{name}' is {value!r}, but 'method.supervised.hyperparameters.{name}' is"
            message += f" {values[name]!r}. Send one of the two."
            raise BadRequest(message, param=f"hyperparameters.{name}", code="invalid_value")
    return Hyperparameters(**values)


def metadata_filter(query: Iterable[tuple[str, str]]) -> dict[str, str] | None:
    """The metadata that jobs must have, from `metadata[key]=value`; None for `metadata=null`: jobs without any."""
    wanted: dict[str, str] = {}
    for name, value in query:
        if name == "metadata" and value == "null":
            return None
        if (key := _METADATA.fullmatch(name)) is not None:
            wanted[key[1]] = value
    return wanted


def _refuse_other_methods(body: Any) -> None:
    method: Any = body.get("method") if isinstance(body, dict) else None
    if isinstance(method, dict) and method.get("type", "supervised") != "supervised":
        message = f"The method {str(method['type'])[:64]!r} is not supported; use 'supervised'."
        raise BadRequest(message, param="method.type", code="unsupported_method")
