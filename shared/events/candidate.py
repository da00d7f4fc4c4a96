"""A checkpoint on its way to production."""

from typing import Literal

from shared.events.templates import PromptTemplate
from shared.events.values import Artifact, Value


class Candidate(Value):
    """One checkpoint and what is needed to score, review and serve it; it travels with every event about it."""

    job_id: str
    step: int
    base_model: str
    model_name: str
    """The name of this checkpoint that one can call, such as `ft:<base>:<org>:<suffix>:<id>:ckpt-step-<step>`."""
    adapter: Artifact
    """The weights' folder: a LoRA adapter, or for freeze and full the whole model's safetensors and config.json."""
    lora_rank: int
    """0 for freeze and full."""
    suffix: str | None = None
    policy: str | None = None
    tuning: Literal["lora", "freeze", "full"] = "lora"
    """`full` also where an adapter was merged, as that of DoRA is."""
    suite: str | None = None
    """The suites that it is scored on beside its test split, joined by commas; None for the evaluator's default."""
    owner: str = ""
    """The id of the key whose job made it."""
    template: PromptTemplate | None = None
    """What its training rows were rendered with; requests are rendered the same way."""

    @property
    def version(self) -> str:
        """The immutable name of these weights: made of their digest, never given to others."""
        return f"v-{self.adapter.sha256[:16]}"
