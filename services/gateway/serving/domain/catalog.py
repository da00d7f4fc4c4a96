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
            self.follow(lineage, lineages, pins or {})

    def follow(self, changed: Iterable[Deployment], lineages: Lineages, pins: Mapping[str, RollbackPin]) -> None:
        """Give the names of changed deployments their new meaning; `lineages` has the changes already."""
        aliases: set[str] = set()
        for deployment in changed:
            self._set(deployment.model, deployment if deployment.status == "deployed" else None)
            if deployment.candidate.suffix:
                aliases.add(deployment.candidate.suffix)
        self.resolve(aliases, lineages, pins)

    def resolve(self, aliases: Iterable[str], lineages: Lineages, pins: Mapping[str, RollbackPin]) -> None:
        """Look up again which version each of these aliases means; one without versions is no name any more."""
        for alias in aliases:
            if alias not in self.bases:
                lineage = lineages.of(alias)
                self._set(alias, current(lineage, pins.get(alias)) if lineage else None)

    def _set(self, name: str, deployment: Deployment | None) -> None:
        if deployment is None:
            for known in (self._targets, self.created, self.parents):
                known.pop(name, None)
            return
        self._targets[name] = target(deployment, name)
        self.created[name] = int(deployment.deployed_at or deployment.at)
        self.parents[name] = deployment.candidate.base_model

    def names(self) -> Sequence[str]:
        return tuple(self._targets)

    def find(self, name: str) -> Target | None:
        return self._targets.get(name)
