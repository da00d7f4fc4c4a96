"""The version that an alias points to, according to the gateway's events."""

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Candidate


class Production(BaseModel):
    """One alias, its id: all versions that it has pointed to, and the current one.

    Events arrive in any order, so the newest fact decides which version is current. `since` is its time in Unix
    seconds. A rollback may arrive before the event of its version; `current` is then not a key of `versions` yet.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    current: str = ""
    since: float = 0.0
    versions: dict[str, Candidate] = Field(default_factory=dict)

    def deployed(self, candidate: Candidate, at: float) -> "Production | None":
        """With a version that was deployed at that time; None if nothing changes."""
        known = self.model_copy(update={"versions": {**self.versions, candidate.version: candidate}})
        changed = known._moved(candidate.version, at)
        return None if changed == self else changed

    def rolled_back(self, version: str, at: float) -> "Production | None":
        """Back at an earlier version; None if nothing changes."""
        changed = self._moved(version, at)
        return None if changed == self else changed

    def baseline(self, candidate: Candidate) -> Candidate | None:
        """The version to compare a checkpoint with; None if it is the same version or has another base model."""
        current = self.versions.get(self.current)
        if current is None or current.version == candidate.version or current.base_model != candidate.base_model:
            return None
        return current

    def _moved(self, version: str, at: float) -> "Production":
        return self if at < self.since else self.model_copy(update={"current": version, "since": at})
