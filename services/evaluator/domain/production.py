"""Which version an alias means now, as the gateway's events tell it."""

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Candidate


class Production(BaseModel):
    """One alias: the versions that it has meant, and the one that it means. `current` is a key of `versions`."""

    model_config = ConfigDict(frozen=True)

    current: str
    versions: dict[str, Candidate] = Field(default_factory=dict)

    @classmethod
    def of(cls, candidate: Candidate) -> "Production":
        return cls(current=candidate.version, versions={candidate.version: candidate})

    def deployed(self, candidate: Candidate) -> "Production | None":
        """With a new version; None when it is the current one already."""
        if self.current == candidate.version:
            return None
        return Production(current=candidate.version, versions={**self.versions, candidate.version: candidate})

    def rolled_back(self, version: str) -> "Production | None":
        """Back at an earlier version; None when it is unknown or the current one."""
        if version == self.current or version not in self.versions:
            return None
        return self.model_copy(update={"current": version})

    def rival(self, candidate: Candidate) -> Candidate | None:
        """What a checkpoint must beat; None where that is itself or on another base model."""
        current = self.versions[self.current]
        same = current.version == candidate.version or current.base_model != candidate.base_model
        return None if same else current
