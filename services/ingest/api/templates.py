"""`/v1/templates`: prompt templates, each version made once and never changed."""

from typing import Annotated, Literal

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, Parameter
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.api.access import AnyRequest
from services.ingest.domain.template_version import TemplateVersion
from services.ingest.service.templates import Templates
from shared.events.templates import Decoding, FieldName, Part, PromptTemplate, TemplateName, TemplateRef
from shared.web import NotFound, allow


class TemplateRequest(BaseModel):
    """A new version. `user` holds {input}; `fields` names the other placeholders, by default all of them."""

    model_config = ConfigDict(extra="forbid")

    name: TemplateName
    system: Part = ""
    user: Part = "{input}"
    fields: list[FieldName] | None = Field(default=None, max_length=50)
    caller_system: Literal["append", "refuse"] = "append"
    decoding: Decoding = Decoding()

    def template(self) -> PromptTemplate:
        return PromptTemplate(version=1, **self.model_dump(exclude={"fields"}))


@post("/")
async def publish(
    request: AnyRequest, data: JSONBody[TemplateRequest], templates: NamedDependency[Templates]
) -> TemplateVersion:
    """Create the next version of a template; returns the newest one if nothing changed."""
    fields = None if data.fields is None else tuple(data.fields)
    return await templates.publish(request.state.key.person, data.template(), fields)


@get("/")
async def listed(
    request: AnyRequest,
    templates: NamedDependency[Templates],
    name: FromQuery[str | None] = None,
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> list[TemplateVersion]:
    """The newest versions of this key's templates, or of one of them."""
    return await templates.of_owner(request.state.key.person, name, limit)


@get("/{name:str}/{version:int}")
async def one(
    request: AnyRequest, name: FromPath[str], version: FromPath[int], templates: NamedDependency[Templates]
) -> PromptTemplate:
    """One version of a template; version 0 is the newest."""
    ref = TemplateRef.model_construct(name=name, version=version)
    found = await templates.find(request.state.key.person, ref)
    if found is None:
        raise NotFound(f"there is no template {name!r} of version {version}")
    return found


templates_router = Router(
    "/v1/templates", route_handlers=[publish, listed, one], guards=[allow("train")], tags=["templates"]
)
