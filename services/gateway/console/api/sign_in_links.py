"""`/v1/sign_in_links`."""

from typing import Any

from litestar import Request, Router, post
from litestar.di import NamedDependency

from services.gateway.common.api.json_body import optional_json_body
from services.gateway.common.api.openapi_schema import asks_for
from services.gateway.console.domain.sign_in_link import SignInLinkRequest
from services.gateway.console.service.sign_in_links import SignInLinks
from shared.pages import origin, signed_in

AnyRequest = Request[Any, Any, Any]


@post("/", status_code=201, operation_class=asks_for(SignInLinkRequest, optional=True))
async def create(request: AnyRequest, sign_in_links: NamedDependency[SignInLinks]) -> dict[str, Any]:
    """Make a link that signs the caller, or the owner of `key_id`, in to the console once."""
    asked = SignInLinkRequest.model_validate(await optional_json_body(request))
    secret, link = await sign_in_links.create(asked, request.state.key)
    request.state.object_id = link.key_id
    return {
        "object": "sign_in_link",
        "key_id": link.key_id,
        "url": f"{origin(request)}/console/sign-in?link={secret}",
        "expires_at": int(link.expires_at),
    }


routes = Router("/v1/sign_in_links", route_handlers=[create], guards=[signed_in()], tags=["console"])
