"""The public model names, and the weights that each one means."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import Lineages, RollbackPin, current
from shared.events import Candidate


@dataclass(frozen=True)
class Target:
    """What a public name means now: a base model, or the weights that engines hold under `loaded`."""

    public: str
    base: str
    loaded: str
    version: str
    candidate: Candidate | None = None
    rollout: str | None = None
    """The trace context of the version's rollout."""


def target(deployment: Deployment, public: str) -> Target:
    """A deployment under a public name."""
    made = deployment.candidate
    return Target(public, made.base_model, deployment.loaded_name, made.version, made, deployment.rollout)


class Catalog:
    """The public names: base models, fine-tuned models, and aliases."""

    def __init__(
        self, bases: Sequence[str] = (), lineages: Lineages | None = None, pins: Mapping[str, RollbackPin] | None = None
    ) -> None:
        self.bases = bases
        self._targets = {base: Target(base, base, base, base) for base in bases}
        self.created = dict.fromkeys(bases, 0)
        self.parents: dict[str, str | None] = dict.fromkeys(bases, None)
        lineages = lineages or Lineages()
        for lineage in list(lineages.by_alias.values()):
            self.update(lineage, lineages, pins or {})

    def update(self, changed: Iterable[Deployment], lineages: Lineages, pins: Mapping[str, RollbackPin]) -> None:
        """Update the names of changed deployments; `lineages` already contains the changes."""
        aliases: set[str] = set()
        for deployment in changed:
            if deployment.status == "deployed":
                self._set(deployment.model, deployment)
            elif self._means(deployment.model, deployment):
                self._remove(deployment.model)
            if deployment.candidate.suffix:
                aliases.add(deployment.candidate.suffix)
        self.resolve(aliases, lineages, pins)

    def resolve(self, aliases: Iterable[str], lineages: Lineages, pins: Mapping[str, RollbackPin]) -> None:
        """Look up again which version each alias means. An alias without versions is removed."""
        for alias in aliases:
            if lineage := lineages.of(alias):
                self._set(alias, current(lineage, pins.get(alias)))
            elif alias not in self.bases:
                self._remove(alias)

    def _means(self, name: str, deployment: Deployment) -> bool:
        known = self._targets.get(name)
        return known is not None and known.candidate is not None and known.candidate.job_id == deployment.id

    def _set(self, name: str, deployment: Deployment) -> None:
        if name in self.bases:
            return
        self._targets[name] = target(deployment, name)
        self.created[name] = int(deployment.deployed_at or deployment.at)
        self.parents[name] = deployment.candidate.base_model

    def _remove(self, name: str) -> None:
        for known in (self._targets, self.created, self.parents):
            known.pop(name, None)

    def names(self) -> Sequence[str]:
        return tuple(self._targets)

    def find(self, name: str) -> Target | None:
        return self._targets.get(name)
