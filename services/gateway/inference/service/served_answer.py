"""An answer of one version on its way to the caller."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.gateway.access.domain.limits import Header
from services.gateway.access.service.usage_ledger import Permit
from services.gateway.inference.domain.stream_events import EventCutter, StreamUsage, Used, renamed, used
from services.gateway.inference.ports import EngineAnswer, EventSink
from services.gateway.serving.domain.catalog import Target
from services.gateway.serving.domain.replica import Replica


@dataclass
class ServedAnswer:
    """An answer of one version. `body` is the whole of it, None for a stream, which must be read or closed."""

    target: Target
    answer: EngineAnswer
    replica: Replica
    body: bytes | None = None
    closed: bool = False
    usage: StreamUsage = field(default_factory=lambda: StreamUsage(asked=True))
    headers: tuple[Header, ...] = ()
    """The rate limit headers of the answer."""
    _ends: list[Callable[["ServedAnswer"], None]] = field(default_factory=list[Callable[["ServedAnswer"], None]])

    async def relay(self, sink: EventSink) -> None:
        """Pass the server-sent events on as they come; raises `EngineUnreachable` when they break off."""
        cutter, loaded, public = EventCutter(), self.replica.engine_name(self.target.loaded), self.target.public

        def take(parts: list[bytes]) -> bool:
            events = [renamed(event, loaded, public) for part in parts for event in cutter.cut(part)]
            return sink.send_events(self.usage.visible_events(events))

        await self.answer.relay(take, sink.drained)
        self.replica.answered_at = time.monotonic()

    def close(self) -> None:
        """Hang up on the engine, which then stops its work for this answer."""
        if not self.closed:
            self.closed = True
            self.answer.close()
            self.replica.in_flight -= 1
            for end in self._ends:
                end(self)

    def admitted(self, permit: Permit, prompt_tokens: int) -> None:
        """End the permit with the answer; `prompt_tokens` counts if the engine reports no usage."""
        self.headers = permit.headers

        def end(served: "ServedAnswer") -> None:
            said = served.usage.used if served.body is None else used(served.body)
            # A stream that broke off, or that the caller left, used about one token an event.
            said = said or Used(prompt_tokens, served.usage.events)
            permit.end(served.target.version, said.prompt_tokens, said.completion_tokens)

        self.when_closed(end)

    def when_closed(self, end: Callable[["ServedAnswer"], None]) -> None:
        """Call `end` when the answer is over, which it may be already."""
        if self.closed:
            end(self)
        else:
            self._ends.append(end)
