"""Prompt templates: the list, and the editor that makes the next version."""

from dataclasses import replace
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.ingest.domain.template_version import TemplateRefused
from services.ingest.pages import PAGES
from services.ingest.pages.template_form import TemplateForm
from services.ingest.service.datasets import Datasets
from services.ingest.service.templates import Templates
from shared.pages.forms import see_other
from shared.store import Cursor
from shared.web import NotFound

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
_VERSIONS_SHOWN = 50
_DATASETS_SHOWN = 20


@get("/templates/")
async def template_list(
    request: AnyRequest,
    templates: NamedDependency[Templates],
    after: Annotated[str, Parameter(max_length=200)] = "",
) -> Response[bytes]:
    """The templates of this person, the newest name first."""
    owner = request.state.key.person
    page = await templates.names(Cursor(after or None, PAGE_SIZE), owner)
    newest = await templates.newest_of(owner, [one.name for one in page.items])
    return PAGES.page(request, "templates.html.j2", at="templates", page=page, newest=newest, after=after)


@get("/new-template")
async def new_template(request: AnyRequest, datasets: NamedDependency[Datasets]) -> Response[bytes]:
    """The editor for a new name."""
    return await _editor(request, datasets, TemplateForm())


@get("/templates/{name:str}")
async def editor(
    request: AnyRequest,
    name: FromPath[str],
    templates: NamedDependency[Templates],
    datasets: NamedDependency[Datasets],
    version: Annotated[int, Parameter(ge=0)] = 0,
) -> Response[bytes]:
    """The newest version of a template, or the one that was asked for, ready to become the next version."""
    owner = request.state.key.person
    versions = await templates.of_owner(owner, name, _VERSIONS_SHOWN)
    if not versions:
        raise NotFound(f"there is no template {name!r}")
    shown = next((one for one in versions if one.version == version), None) if version else versions[0]
    if shown is None:
        raise NotFound(f"the template {name!r} has no version {version}")
    used = await datasets.using(owner, name, _DATASETS_SHOWN)
    form = TemplateForm.of(shown.template)
    return await _editor(request, datasets, form, versions=versions, shown=shown, used=used)


@post("/templates/", status_code=200)
async def saved(
    request: AnyRequest, templates: NamedDependency[Templates], datasets: NamedDependency[Datasets]
) -> Response[bytes]:
    """Make the next version and show it; a form that is refused comes back as it was typed."""
    owner = request.state.key.person
    form = TemplateForm.read(dict(await request.form()))
    try:
        made = await templates.publish(owner, form.template(), None)
    except TemplateRefused as refused:
        versions = await templates.of_owner(owner, form.name, _VERSIONS_SHOWN) if form.name else []
        form = replace(form, problems=str(refused).split("; "))
        return await _editor(request, datasets, form, status=422, versions=versions)
    return see_other(f"/console/ingest/templates/{made.name}")


async def _editor(
    request: AnyRequest, datasets: Datasets, form: TemplateForm, *, status: int = 200, **values: Any
) -> Response[bytes]:
    page = await datasets.page(Cursor(None, _DATASETS_SHOWN), request.state.key.person, "ready")
    samples = [one for one in page.items if one.report.kind == "chat"]
    given: dict[str, Any] = {"versions": [], "shown": None, "used": [], **values}
    return PAGES.page(request, "template.html.j2", at="templates", status=status, form=form, samples=samples, **given)
