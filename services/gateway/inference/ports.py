"""What inference needs from the outside."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from services.gateway.inference.domain.split_plan import Outcome
from shared.events import Candidate


class WeightsOnDemand(Protocol):
    """Finds an engine for weights that this gateway keeps on none yet."""

    async def make_available(self, candidate: Candidate) -> None:
        """Let an engine answer with a checkpoint, if one can; raises one of `adapter_loader.FAILURES`."""
        ...


class EventSink(Protocol):
    """Where a stream of server-sent events goes."""

    def send_events(self, events: Sequence[bytes]) -> bool:
        """Send each event at once; false when the reader is slow and must be waited for with `drained`."""
        ...

    async def drained(self) -> None:
        """Wait until more events may be sent."""
        ...


class EngineAnswer(Protocol):
    """An engine's answer whose body was not read yet."""

    status: int

    async def read(self) -> bytes:
        """The whole body; raises `EngineUnreachable` when it breaks off."""
        ...

    async def relay(self, take: Callable[[list[bytes]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Pass on the parts of the body as they arrive; raises `EngineUnreachable` when they break off.

        After `take` returned false, nothing more is passed until `drained` has returned.
        """
        ...

    def close(self) -> None:
        """Hang up; safe to repeat. The engine stops its work for this request."""
        ...


class ChatEngine(Protocol):
    """Sends chat requests to replicas by URL; raises `EngineUnreachable`."""

    async def chat(
        self, url: str, path: str, body: bytes, check: Callable[[], Awaitable[None]] | None = None
    ) -> EngineAnswer:
        """Send a JSON request to that path and wait for the status and headers of the answer.

        `check` is awaited first on a new connection: the engine may have been restarted.
        """
        ...


class RoutingMetrics(Protocol):
    """Counters by which an operator compares versions of one alias."""

    def answered(self, alias: str, version: str, ok: bool, seconds: float) -> None: ...

    def copied(self, alias: str, version: str, outcome: Outcome, seconds: float) -> None: ...
