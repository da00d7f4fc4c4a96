"""Deliver all stored events to services again, whose databases were lost: `python -m shared.replay review gateway`.

Stop these services first. When they start again, they rebuild their databases; docs/running.md says what cannot be
rebuilt. In an intact database a replay changes nothing. If the NATS server has users, `ASSAY_NATS_URL` must name the
user `topology`, who may change consumers.
"""

import argparse
from collections.abc import Collection
from contextlib import suppress

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shared import telemetry
from shared.archive.segments import Archive, ArchiveError, archive_url
from shared.artifacts import ArtifactStoreAway
from shared.consumers import CONSUMERS, consumer_config
from shared.jetstream_readiness import when_ready
from shared.operator_commands import connected, result_of
from shared.settings import CommonSettings

SERVICES = sorted({consumer.service for consumer in CONSUMERS})
_log = telemetry.logger(__name__)


async def start_over(js: JetStreamContext, services: Collection[str]) -> None:
    """Make the consumers of these services anew, so that each begins with the oldest event of the stream."""
    for consumer in CONSUMERS:
        if consumer.service in services:
            with suppress(NotFoundError):
                await js.delete_consumer(consumer.stream, consumer.name)
            await js.add_consumer(consumer.stream, consumer_config(consumer))
    _log.info("all events will be delivered again", services=sorted(services))


async def main(services: Collection[str]) -> None:
    settings = CommonSettings()
    if Archive(archive_url(settings)).segments():
        raise ArchiveError("the oldest events are archived: run `python -m shared.archive restore` first")
    telemetry.configure("replay", settings.instance, settings.log_level)
    # The user of the topology may change consumers.
    async with connected(settings, "topology") as client:
        js = client.jetstream(timeout=10)
        await when_ready(lambda: start_over(js, services))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m shared.replay", description=__doc__)
    parser.add_argument("services", nargs="+", choices=SERVICES)
    result_of(main(parser.parse_args().services), ArchiveError, ArtifactStoreAway)
