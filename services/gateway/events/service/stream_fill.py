"""How full the streams of events are, as a metric and for pages."""

import asyncio
from dataclasses import dataclass, field

from prometheus_client import Gauge

from services.gateway.events.ports import EventStream
from shared import telemetry

EVERY_S = 15.0
WARN_ABOVE = 0.8
_FILL = Gauge("assay_stream_fill_ratio", "Share of a stream's limit in bytes that is used", ["stream"])
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class StreamFill:
    """Reads the fill level of each stream, from 0 to 1, every `EVERY_S` seconds."""

    stream: EventStream
    shares: dict[str, float] = field(default_factory=dict[str, float])
    """By stream, as last read."""

    @property
    def nearly_full(self) -> dict[str, float]:
        """The streams above `WARN_ABOVE` that refuse new messages when they are full."""
        return {name: share for name, share in self.shares.items() if share > WARN_ABOVE}

    async def run(self) -> None:
        """Read until cancelled; an outage of NATS only delays it."""
        while True:
            try:
                await self.read()
            except Exception as error:
                _log.warning("the fill of the streams is not known now", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(EVERY_S)

    async def read(self) -> None:
        for name, share in (await self.stream.fill()).items():
            self.shares[name] = share
            _FILL.labels(name).set(share)
        for name, share in self.nearly_full.items():
            _log.warning("a stream is nearly full", stream=name, share=round(share, 3))
