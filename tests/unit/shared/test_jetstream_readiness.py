"""Commands wait while a cluster starts or elects leaders, and fail at once for every other reason."""

from collections.abc import Awaitable, Callable

import pytest
from nats.errors import TimeoutError as NatsTimeout
from nats.js.errors import BadRequestError, ServerError, ServiceUnavailableError

from shared.jetstream_readiness import when_ready

NO_LEADER = ServiceUnavailableError(code=503, err_code=10008, description="JetStream system temporarily unavailable")
TOO_FEW = BadRequestError(code=400, err_code=10005, description="no suitable peers for placement")
OVERLAP = BadRequestError(code=400, err_code=10065, description="subjects overlap with an existing stream")
FULL = ServerError(code=500, err_code=10047, description="insufficient storage resources available")


def failing(errors: list[Exception]) -> Callable[[], Awaitable[str]]:
    """An action that raises each of these errors once."""

    async def action() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return action


async def test_an_action_is_repeated_until_jetstream_is_ready() -> None:
    assert await when_ready(failing([TOO_FEW, NO_LEADER, NatsTimeout()]), pause_s=0) == "done"


@pytest.mark.parametrize("error", [OVERLAP, FULL])
async def test_an_error_that_waiting_does_not_change_is_raised_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        await when_ready(failing([error]), pause_s=0)


async def test_the_last_error_is_raised_after_the_time_is_up() -> None:
    with pytest.raises(ServiceUnavailableError):
        await when_ready(failing([NO_LEADER, NO_LEADER]), wait_s=-1, pause_s=0)
