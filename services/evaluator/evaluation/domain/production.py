"""The version that an alias points to, according to the gateway's events."""

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Candidate


class Production(BaseModel):
    """One alias, its id: all versions that it has pointed to, and the current one, a key of `versions`."""

    model_config = ConfigDict(frozen=True)

    id: str
    current: str
    versions: dict[str, Candidate] = Field(default_factory=dict)

    @classmethod
    def of(cls, alias: str, candidate: Candidate) -> "Production":
        return cls(id=alias, current=candidate.version, versions={candidate.version: candidate})

    def deployed(self, candidate: Candidate) -> "Production | None":
        """With a new version; None if it is already the current one."""
        if self.current == candidate.version:
            return None
        versions = {**self.versions, candidate.version: candidate}
        return Production(id=self.id, current=candidate.version, versions=versions)

    def rolled_back(self, version: str) -> "Production | None":
        """Back at an earlier version; None if it is unknown or the current one."""
        if version == self.current or version not in self.versions:
            return None
        return self.model_copy(update={"current": version})

    def baseline(self, candidate: Candidate) -> Candidate | None:
        """The version to compare a checkpoint with; None if it is the same version or has another base model."""
        current = self.versions[self.current]
        same = current.version == candidate.version or current.base_model != candidate.base_model
        return None if same else current
