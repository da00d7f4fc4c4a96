"""What the forms of the console have in common: numbers in fields, and the status of a refused action."""

from collections.abc import Mapping

from services.gateway.common.api.error_responses import encoded
from services.gateway.common.domain.errors import ApiError
from shared.whole_number import whole_number as read_number


def whole_number(typed: Mapping[str, str], name: str, default: int = 0) -> int:
    """A field as a number within a signed 64-bit range; `default` where it holds none."""
    found = read_number(typed.get(name, ""))
    return default if found is None else found


def status_of(error: ApiError) -> int:
    """The HTTP status that the API answers with for this error."""
    return encoded(error)[0]
