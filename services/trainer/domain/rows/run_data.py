"""The data of a run: its splits, and the checkpoint it starts from."""

from shared.events import Artifact, PromptTemplate, Split, Value


class WarmStart(Value):
    """The checkpoint of an earlier run from which a run starts."""

    job_id: str
    step: int
    state: Artifact
    with_optimizer: bool = False


class RunData(Value):
    """The splits that a run reads, and its warm start if there is one."""

    train: Split
    validation: Split | None
    test: Split
    general: Split | None = None
    start: WarmStart | None = None
    template: PromptTemplate | None = None
    """What the rows were rendered with; it travels with each checkpoint."""

    def compared_on(self, checkpoints: int) -> Split | None:
        """The questions on which so many checkpoints are compared; None if there is only one, or no questions."""
        return self.validation if checkpoints > 1 and self.validation and self.validation.rows else None
