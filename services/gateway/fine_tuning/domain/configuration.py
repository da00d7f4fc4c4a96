"""What a job may name: policies, suites, templates and pools, as their owners published them; policies of aliases."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel

from shared.events import (
    AliasBound,
    PolicyDeleted,
    PolicyPublished,
    PoolChanged,
    SuiteDeleted,
    SuitePublished,
    TemplatePublished,
)

Kind = Literal["policy", "suite", "template", "pool", "alias"]
SHIPPED_POLICIES: Mapping[str, str] = dict.fromkeys(("automatic", "guarded", "hybrid"), "exact_match")
"""They come with review, which publishes only those that were changed; each with the metric that it ranks by."""


class Configuration(BaseModel):
    """The newest state of one policy, suite, template or pool; `number` orders its facts, which arrive in any order."""

    id: str
    number: float = -1
    deleted: bool = False
    at: float = 0.0
    """Of a suite: when this revision was published, in Unix seconds."""
    base_model: str = ""
    context_length: int | None = None
    """Of a pool: the tokens that its engines take, if that is known."""
    rank_by: str = ""
    """Of a policy: the metric by which it ranks checkpoints, if that is known."""
    policy: str = ""
    """Of an alias: the policy of all its jobs; empty for the one that each job names."""

    def newest(self, other: Self) -> Self:
        """The later one of two states; of equal numbers a deletion."""
        return other if (other.number, other.deleted) > (self.number, self.deleted) else self


def configuration_id(kind: Kind, name: str, owner: str = "") -> str:
    """Templates have a name for each owner, the others one for all."""
    return f"{kind}/{owner}/{name}"


def of_policy(event: PolicyPublished | PolicyDeleted) -> Configuration:
    deleted = isinstance(event, PolicyDeleted)
    rank_by = "" if isinstance(event, PolicyDeleted) else event.rank_by
    return Configuration(
        id=configuration_id("policy", event.name), number=event.revision, deleted=deleted, rank_by=rank_by
    )


def of_alias(event: AliasBound) -> Configuration:
    return Configuration(id=configuration_id("alias", event.alias), number=event.at, policy=event.policy or "")


def of_suite(event: SuitePublished | SuiteDeleted) -> Configuration:
    deleted = isinstance(event, SuiteDeleted)
    return Configuration(id=configuration_id("suite", event.name), number=event.revision, deleted=deleted, at=event.at)


def of_template(event: TemplatePublished) -> Configuration:
    return Configuration(
        id=configuration_id("template", event.template.name, event.owner), number=event.template.version
    )


def of_pool(event: PoolChanged) -> Configuration:
    return Configuration(
        id=configuration_id("pool", event.pool),
        number=event.at,
        deleted=event.removed,
        base_model=event.base_model,
        context_length=event.context_length,
    )
