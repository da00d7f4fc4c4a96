"""Errors of the API; the HTTP edge maps each to a status and OpenAI's shape."""

from collections.abc import Mapping


class ApiError(Exception):
    """A request that is refused. `param` names the wrong parameter."""

    headers: Mapping[str, str] = {}
    """Headers of the answer."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class BadRequest(ApiError):
    """The caller must change the request."""


class TooLarge(ApiError):
    """The request holds more bytes than this server takes."""


class Missing(ApiError):
    """The named resource does not exist, or belongs to another key."""


class NotPermitted(ApiError):
    """The resource exists but this key may not use it, or not yet."""


class Conflict(ApiError):
    """The request contradicts an earlier one."""


class Busy(ApiError):
    """Too many requests at once; the caller should come back."""


class RateLimited(Busy):
    """The key has used up its limit for this minute, or its budget."""

    def __init__(self, message: str, *, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, code=code)
        self.headers = headers


class NoReplica(ApiError):
    """No engine can answer now; the caller should come back."""


class EngineRefused(ApiError):
    """The engine itself answered with an error, of this HTTP status."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status


def no_model(name: str) -> Missing:
    return Missing(
        f"The model {name!r} does not exist or you do not have access to it.", param="model", code="model_not_found"
    )
