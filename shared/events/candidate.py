"""A checkpoint on its way to production."""

from typing import Annotated, Literal

from shared.bounds import MaxBytes
from shared.events.templates import PromptTemplate
from shared.events.texts import Id, Name
from shared.events.values import Artifact, Value


class Candidate(Value):
    """One checkpoint and what is needed to score, review and serve it; it travels with every event about it."""

    job_id: Id
    step: int
    base_model: Name
    model_name: Name
    """The name of this checkpoint that one can call, such as `ft:<base>:<org>:<suffix>:<id>:ckpt-step-<step>`."""
    adapter: Artifact
    """The weights' folder: a LoRA adapter, or for freeze and full the whole model's safetensors and config.json."""
    lora_rank: int
    """0 for freeze and full."""
    suffix: Id | None = None
    policy: Name | None = None
    tuning: Literal["lora", "freeze", "full"] = "lora"
    """`full` also where an adapter was merged, as that of DoRA is."""
    suite: Annotated[str, MaxBytes(3072)] | None = None
    """The suites that it is scored on beside its test split, joined by commas; None for the evaluator's default."""
    owner: Id = ""
    """The id of the key whose job made it."""
    template: PromptTemplate | None = None
    """What its training rows were rendered with; requests are rendered the same way."""

    @property
    def version(self) -> str:
        """The immutable name of these weights: made of their digest, never given to others."""
        return f"v-{self.adapter.sha256[:16]}"
