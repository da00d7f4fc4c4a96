"""A model and the questions that it is scored on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.events import Artifact, Candidate


class Target(BaseModel):
    """The base model, or an adapter on it, with a test split or a suite's task.

    `test` holds the questions or, for the kind `task`, the task that says where they are. `protocol` identifies the way
    of asking and measuring, so that scores of different ways are not mixed up.
    """

    model_config = ConfigDict(frozen=True)

    base_model: str
    test: Artifact
    kind: Literal["test_split", "task"] = "test_split"
    adapter: Artifact | None = None
    version: str | None = None
    protocol: str = ""
    rubric: Artifact | None = None
    """The rubric of a judge that rates the answers; None for the default."""

    @classmethod
    def checkpoint(cls, candidate: Candidate, test: Artifact, protocol: str = "") -> "Target":
        return cls(base_model=candidate.base_model, test=test, protocol=protocol).of(candidate)

    def of(self, candidate: Candidate) -> "Target":
        """The same questions for another checkpoint of the base model."""
        return self.model_copy(update={"adapter": candidate.adapter, "version": candidate.version})

    @property
    def base(self) -> "Target":
        """The same questions for the base model."""
        return self.model_copy(update={"adapter": None, "version": None})

    def on(self, task: Artifact) -> "Target":
        """The same model on a suite's task."""
        return self.model_copy(update={"test": task, "kind": "task"})

    def judged_by(self, judge: str) -> "Target":
        """With the model of a judge that measures some metrics."""
        return self.model_copy(update={"protocol": f"{self.protocol}-judge-{judge}"})

    def rated_by(self, rubric: Artifact | None) -> "Target":
        """With the rubric by which the judge rates; ratings by different rubrics are not mixed up."""
        name = "default" if rubric is None else rubric.sha256[:16]
        return self.model_copy(update={"rubric": rubric, "protocol": f"{self.protocol}-rubric-{name}"})

    @property
    def key(self) -> str:
        """The same for the same weights and questions, asked and measured alike, in any job."""
        weights = self.base_model if self.adapter is None else f"{self.base_model}+{self.adapter.sha256}"
        return f"{weights}/{self.test.sha256}" + (f"/{self.protocol}" if self.protocol else "")

    @property
    def adapter_name(self) -> str | None:
        """The name under which evaluators load the adapter into an engine; no other service uses such names."""
        return None if self.version is None else f"eval-{self.version}"
