"""Why a request is not answered; the edge gives each its status and OpenAI's shape."""

from collections.abc import Mapping


class ApiError(Exception):
    """A request that cannot be answered as it was sent. `param` names its part that is wrong."""

    headers: Mapping[str, str] = {}
    """What the caller is told beside the message."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class BadRequest(ApiError):
    """The caller must change the request."""


class Missing(ApiError):
    """What the request names is not there."""


class NotPermitted(ApiError):
    """It is there, but not for this caller, or not yet."""


class Conflict(ApiError):
    """The request contradicts an earlier one."""


class Busy(ApiError):
    """Too many requests at once; the caller should come back."""


class RateLimited(Busy):
    """The key has used up what it may in this minute, or in all."""

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
