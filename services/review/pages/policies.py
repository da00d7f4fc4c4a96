"""The pages of policies: the list, one policy with its revisions, its editor, and a trial over past runs."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter
from pydantic import ValidationError

from services.review.access import caller_of
from services.review.ownership import NotOwner
from services.review.pages.rendering import PAGES, AnyRequest
from services.review.policies.catalog import PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import Policy, PolicyContent
from services.review.runs.policy_trials import Trial, Trials
from shared.pages.forms import fields, see_other
from shared.web import NotFound

TRIED = 20


@get("/policies")
async def policies_page(request: AnyRequest, catalog: NamedDependency[PolicyCatalog]) -> Response[bytes]:
    """All policies that the reader may see."""
    found = await catalog.visible(caller_of(request))
    return PAGES.page(request, "policies.html.j2", at="review", policies=found)


@get("/policies/{name:str}")
async def policy_page(
    request: AnyRequest,
    name: FromPath[str],
    catalog: NamedDependency[PolicyCatalog],
    revision: Annotated[int | None, Parameter(ge=0)] = None,
) -> Response[bytes]:
    """One policy with its revisions, and its text to change."""
    found = await catalog.get(name, caller_of(request))
    chosen = next((each for each in found.revisions if each.revision == revision), None)
    if revision is not None and chosen is None:
        raise NotFound(f"the policy {name!r} has no revision {revision}")
    return _page(request, found, chosen or found.newest, text_of(chosen or found.newest), save_as=name)


@post("/policies/{name:str}", status_code=200)
async def change_policy(
    request: AnyRequest,
    name: FromPath[str],
    catalog: NamedDependency[PolicyCatalog],
    trials: NamedDependency[Trials],
) -> Response[Any]:
    """Try the text over past runs, or save it as a new revision, under another name if one is given."""
    caller = caller_of(request)
    found, form = await catalog.get(name, caller), await fields(request)
    text, save_as = form.get("content", ""), form.get("name") or name
    shown: dict[str, Any] = {"found": found, "chosen": found.newest, "text": text, "save_as": save_as}
    try:
        content = PolicyContent.model_validate_json(text)
        if form.get("do") != "save":
            return _page(request, **shown, tried=await trials.of(content, TRIED))
        Policy(**content.model_dump(include=set(PolicyContent.model_fields)), name=save_as)
        await catalog.put(save_as, content, None, caller)
    except ValidationError as error:
        return _page(request, **shown, problems=_words(error), status=422)
    except NotOwner as refusal:
        return _page(request, **shown, problems=[str(refusal)], status=403)
    return see_other(f"/console/review/policies/{save_as}")


def text_of(policy: Policy) -> str:
    """A policy as JSON to change; what has its default is left out."""
    return policy.content.model_dump_json(exclude_defaults=True, indent=2)


def _page(
    request: AnyRequest,
    found: NamedPolicy,
    chosen: Policy,
    text: str,
    save_as: str,
    *,
    tried: list[Trial] | None = None,
    problems: Any = (),
    status: int = 200,
) -> Response[bytes]:
    values: dict[str, Any] = {"found": found, "chosen": chosen, "text": text, "save_as": save_as, "tried": tried}
    values |= {"problems": problems, "owns": caller_of(request).owns(found.owner)}
    return PAGES.page(request, "policy.html.j2", status=status, at="review", **values)


def _words(error: ValidationError) -> list[str]:
    """Each fault of the text with its place, such as `gates.0.at_least`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [f"{'.'.join(map(str, each['loc'])) or 'policy'}: {each['msg']}" for each in found[:20]]
