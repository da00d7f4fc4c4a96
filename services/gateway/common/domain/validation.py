"""pydantic's errors in OpenAI's terms."""

from pydantic import ValidationError

from services.gateway.common.domain.errors import BadRequest


def bad_request(error: ValidationError) -> BadRequest:
    """The first error that pydantic found, in OpenAI's terms."""
    first = error.errors(include_url=False)[0]
    param = ".".join(map(str, first["loc"])) or None
    if first["type"] == "missing":
        return BadRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if first["type"] == "extra_forbidden":
        return BadRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if first["loc"] == ("integrations",) and first["type"] == "too_long":
        message = "Integrations are not supported; leave 'integrations' out."
        return BadRequest(message, param=param, code="unsupported_parameter")
    return BadRequest(f"Invalid value for '{param}': {first['msg']}.", param=param, code="invalid_value")
