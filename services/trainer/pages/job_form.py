"""The form of a new job, as it was filled in: in the query of the page's address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Request
from pydantic import ValidationError

from services.trainer.domain.training_run import TrainingRun
from shared.events import Hyperparameters, TrainingSpec

HYPERPARAMETERS = (
    "tuning",
    "n_epochs",
    "batch_size",
    "learning_rate",
    "lora_rank",
    "lora_alpha",
    "max_length",
    "n_checkpoints",
    "early_stopping",
    "start_job",
    "start_step",
    "general_file",
    "general_share",
)
_OTHERS = ("training_file", "model", "suffix", "policy", "other_suites", "priority", "template", "allow_contaminated")


@dataclass(frozen=True)
class JobForm:
    """What was typed, as text; `suites` are the boxes that are ticked."""

    values: Mapping[str, str]
    suites: Sequence[str] = field(default=())

    @classmethod
    def of(cls, request: Request[Any, Any, Any]) -> "JobForm":
        query = request.query_params
        names = (*_OTHERS, *HYPERPARAMETERS)
        return cls({name: str(query.get(name, "")).strip()[:256] for name in names}, query.getall("suite", []))

    @classmethod
    def like(cls, run: TrainingRun, **changes: str) -> "JobForm":
        """The form that asks for the same job again."""
        spec = run.request.spec
        asked = spec.hyperparameters.model_dump(exclude_none=True, include=set(HYPERPARAMETERS))
        values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in asked.items()}
        values |= {"training_file": run.request.training_file, "model": spec.base_model, "suffix": spec.suffix or ""}
        values |= {"policy": spec.policy or "", "other_suites": spec.metadata.get("suite", "")}
        values |= {name: spec.metadata.get(name, "") for name in ("template", "allow_contaminated", "priority")}
        return cls(dict.fromkeys((*_OTHERS, *HYPERPARAMETERS), "") | values | changes)

    def ticking(self, known: Sequence[str]) -> "JobForm":
        """The same form with a tick for each typed suite that has a box."""
        typed = [name.strip() for name in self.values["other_suites"].split(",") if name.strip()]
        others = ", ".join(name for name in typed if name not in known)
        ticked = dict.fromkeys((*self.suites, *(name for name in typed if name in known)))
        return JobForm({**self.values, "other_suites": others}, list(ticked))

    @property
    def asked_suites(self) -> list[str]:
        """The names of all suites that are ticked or typed, without their revisions."""
        asked = [*self.suites, *self.values["other_suites"].split(",")]
        return [name.partition("@")[0].strip() for name in asked if name.strip()]

    def spec(self) -> TrainingSpec:
        """Raises pydantic's `ValidationError`."""
        asked = {name: self.values[name] for name in HYPERPARAMETERS if self.values[name]}
        return TrainingSpec.model_validate(
            {
                "base_model": self.values["model"],
                "suffix": self.values["suffix"] or None,
                "allow_contaminated": self.values["allow_contaminated"] == "true",
                "hyperparameters": Hyperparameters.model_validate(asked),
            }
        )


def field_problems(error: ValidationError) -> dict[str, str]:
    """The first message for each field that was filled in wrongly."""
    found: dict[str, str] = {}
    for each in error.errors(include_url=False):
        name = str(each["loc"][-1] if each["loc"] else "")
        found.setdefault({"base_model": "model"}.get(name, name), each["msg"])
    return found
