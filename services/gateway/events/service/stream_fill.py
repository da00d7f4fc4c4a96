"""How full the streams of events are, as a metric and for pages."""

import asyncio
from dataclasses import dataclass, field

from prometheus_client import Gauge

from services.gateway.events.ports import EventStream, StreamLevel
from shared import telemetry
from shared.topology import DEAD_STREAM

EVERY_S = 15.0
WARN_ABOVE = 0.8
_FILL = Gauge("assay_stream_fill_ratio", "Share of a stream's limit in bytes that is used", ["stream"])
_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class StreamFill:
    """Reads the level of each stream every `EVERY_S` seconds."""

    stream: EventStream
    levels: dict[str, StreamLevel] = field(default_factory=dict[str, StreamLevel])
    """By stream, as last read."""

    @property
    def nearly_full(self) -> dict[str, float]:
        """The streams above `WARN_ABOVE` that refuse new messages when they are full."""
        return {name: level.share for name, level in self.levels.items() if level.share > WARN_ABOVE}

    @property
    def dead_letters(self) -> int:
        """How many events could not be handled and wait for a replay."""
        level = self.levels.get(DEAD_STREAM)
        return level.messages if level else 0

    async def run(self) -> None:
        """Read until cancelled; an outage of NATS only delays it."""
        while True:
            try:
                await self.read()
            except Exception as error:
                _log.warning("cannot read how full the streams are", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(EVERY_S)

    async def read(self) -> None:
        for name, level in (await self.stream.levels()).items():
            self.levels[name] = level
            _FILL.labels(name).set(level.share)
        for name, share in self.nearly_full.items():
            _log.warning("a stream is nearly full", stream=name, share=round(share, 3))
