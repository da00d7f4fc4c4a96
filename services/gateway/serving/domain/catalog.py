"""The public model names, and the weights that each one means."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.lineage import RollbackPin, current, lineages
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
        self, bases: Collection[str], deployments: Iterable[Deployment], aliases: Iterable[RollbackPin] = ()
    ) -> None:
        self._targets = {base: Target(base, base, base, base) for base in bases}
        self.created = dict.fromkeys(bases, 0)
        self.parents: dict[str, str | None] = dict.fromkeys(bases, None)
        pins = {alias.id: alias for alias in aliases}
        for name, lineage in lineages(deployments).items():
            for deployment in lineage:
                self._add(deployment, deployment.model)
            if name and name not in bases:
                self._add(current(lineage, pins.get(name)), name)

    def _add(self, deployment: Deployment, name: str) -> None:
        made = deployment.candidate
        self._targets[name] = target(deployment, name)
        self.created[name] = int(deployment.deployed_at or deployment.at)
        self.parents[name] = made.base_model

    def names(self) -> Sequence[str]:
        return tuple(self._targets)

    def find(self, name: str) -> Target | None:
        return self._targets.get(name)
