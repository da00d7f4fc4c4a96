"""A checkpoint on its way to production."""

from typing import Annotated, Literal

from shared.bounds import MaxBytes
from shared.events.bounded_texts import Id, Name
from shared.events.templates import PromptTemplate
from shared.events.values import Artifact, Value


class Candidate(Value):
    """A checkpoint with what is needed to score, review and serve it; part of every event about it."""

    job_id: Id
    step: int
    base_model: Name
    model_name: Name
    """The name by which this checkpoint is called, such as `ft:<base>:<org>:<suffix>:<id>:ckpt-step-<step>`."""
    adapter: Artifact
    """The folder of weights: a LoRA adapter, or for `freeze` and `full` the model's safetensors and config.json."""
    lora_rank: int
    """0 for freeze and full."""
    suffix: Id | None = None
    policy: Name | None = None
    tuning: Literal["lora", "freeze", "full"] = "lora"
    """`full` also if an adapter was merged, as DoRA adapters are."""
    suite: Annotated[str, MaxBytes(3072)] | None = None
    """The suites that it is scored on besides its test split, joined by commas; None for the evaluator's default."""
    owner: Id = ""
    """The id of the key that created its job."""
    template: PromptTemplate | None = None
    """The template of its training rows; requests are rendered with it too."""
    learning_rate: float | None = None
    """The highest learning rate of its training; None, like the next two, in events from before it was told."""
    n_epochs: float | None = None
    batch_size: int | None = None

    @property
    def version(self) -> str:
        """The immutable name of these weights, derived from their digest."""
        return f"v-{self.adapter.sha256[:16]}"
