"""Policies and their bindings by HTTP."""

from typing import Annotated, Any, Self

from litestar import Request, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from pydantic import Field

from services.review.access import allow_any, caller_of
from services.review.policies.catalog import Binding, PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import EVERYBODY, POLICY_NAME, Person, Policy, PolicyContent
from services.review.policies.domain.strict_model import StrictModel
from shared.web import allow

AnyRequest = Request[Any, Any, Any]
Readers = Annotated[tuple[Person, ...], Field(max_length=100)]


class PolicyInput(PolicyContent):
    """A policy with those who may read it: ids of people or keys, `*` for everybody."""

    readers: Readers = (EVERYBODY,)


class PolicyView(Policy):
    """The newest revision of a policy, with its owner and readers."""

    owner: str
    readers: tuple[str, ...]

    @classmethod
    def of(cls, policy: NamedPolicy) -> Self:
        return cls(**policy.newest.model_dump(), owner=policy.owner, readers=policy.readers)


class BindingInput(StrictModel):
    """The policy that all jobs of a stable name have; None ends the binding."""

    policy: str | None = Field(pattern=POLICY_NAME)


@get("/policies")
async def policies(request: AnyRequest, catalog: NamedDependency[PolicyCatalog]) -> list[PolicyView]:
    """The newest revision of each policy that you may read."""
    return [PolicyView.of(policy) for policy in await catalog.visible(caller_of(request))]


@get("/policies/{name:str}")
async def policy(request: AnyRequest, name: FromPath[str], catalog: NamedDependency[PolicyCatalog]) -> PolicyView:
    """The newest revision of one policy."""
    return PolicyView.of(await catalog.get(name, caller_of(request)))


@get("/policies/{name:str}/revisions")
async def revisions(request: AnyRequest, name: FromPath[str], catalog: NamedDependency[PolicyCatalog]) -> list[Policy]:
    """All revisions of one policy with author and time, oldest first."""
    return list((await catalog.get(name, caller_of(request))).revisions)


@put("/policies/{name:str}")
async def put_policy(
    request: AnyRequest, name: FromPath[str], data: JSONBody[PolicyInput], catalog: NamedDependency[PolicyCatalog]
) -> PolicyView:
    """Add a policy or a revision. Jobs that exist keep the revision that they began with."""
    content = PolicyContent.model_validate(data.model_dump(exclude={"readers"}))
    return PolicyView.of(await catalog.put(name, content, data.readers, caller_of(request)))


@delete("/policies/{name:str}")
async def delete_policy(request: AnyRequest, name: FromPath[str], catalog: NamedDependency[PolicyCatalog]) -> None:
    """Hide a policy from new jobs; refused while an undecided job uses it."""
    await catalog.delete(name, caller_of(request))


@put("/names/{alias:str}/policy", guards=[allow("admin")])
async def bind(
    request: AnyRequest, alias: FromPath[str], data: JSONBody[BindingInput], catalog: NamedDependency[PolicyCatalog]
) -> Binding:
    """Bind a stable name to a policy, so that a job's owner cannot choose a weaker one."""
    return await catalog.bind(alias, data.policy, caller_of(request))


routes = Router(
    "/v1",
    route_handlers=[policies, policy, revisions, put_policy, delete_policy, bind],
    guards=[allow_any("review", "train")],
    tags=["policies"],
)
