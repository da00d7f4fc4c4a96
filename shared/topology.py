"""JetStream's streams, and the idempotent step that creates and updates them and the consumers."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from shared import events, telemetry
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM, Consumer, consumer_config, stream_of
from shared.jetstream_readiness import when_ready
from shared.operator_commands import connected, result_of
from shared.settings import CommonSettings

PROGRESS_S = 3 * 24 * 3600
DEAD_STREAM = "ASSAY_DEAD"
DEAD_PREFIX = "dead"
KEYS_BUCKET = "ASSAY_KEYS"
KEYS_STREAM = f"KV_{KEYS_BUCKET}"
KEYS_PREFIX = f"$KV.{KEYS_BUCKET}"
KEYS_MAX_BYTES = 16 * 1024**2
SESSIONS_BUCKET = "ASSAY_SESSIONS"
SESSIONS_STREAM = f"KV_{SESSIONS_BUCKET}"
SESSIONS_PREFIX = f"$KV.{SESSIONS_BUCKET}"
SESSIONS_MAX_BYTES = 64 * 1024**2
SESSION_S = 14 * 24 * 3600
_MAX_DELIVERIES = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
ADVISORIES = [f"{_MAX_DELIVERIES}.{stream}.>" for stream in (EVENTS_STREAM, PROGRESS_STREAM)]
PUBLISH_TIMEOUT_S = 5.0

_log = telemetry.logger(__name__)


def streams(settings: CommonSettings) -> Sequence[StreamConfig]:
    """The streams of facts and requests, of progress, and of dead letters."""
    facts, progress = (
        sorted(name for name, event in events.EVENTS.items() if stream_of(event) == stream)
        for stream in (EVENTS_STREAM, PROGRESS_STREAM)
    )
    small_bytes, copies = max(settings.event_max_bytes // 8, 1024**2), settings.event_replicas
    return (
        _stream(EVENTS_STREAM, facts, settings.event_max_bytes, copies),
        # Only progress may be forgotten: it never keeps a fact from being stored.
        replace(_stream(PROGRESS_STREAM, progress, small_bytes, copies), discard=DiscardPolicy.OLD, max_age=PROGRESS_S),
        _stream(DEAD_STREAM, [f"{DEAD_PREFIX}.>", *ADVISORIES], small_bytes, copies),
    )


def _stream(name: str, subjects: list[str], max_bytes: int, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=subjects,
        max_bytes=max_bytes,
        num_replicas=replicas,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        # A full stream refuses new events with an error rather than forgetting old ones.
        discard=DiscardPolicy.NEW,
        duplicate_window=120.0,
    )


def keys_bucket(settings: CommonSettings) -> StreamConfig:
    """The latest revision of each API key that was created or changed by HTTP, as a key-value bucket."""
    return StreamConfig(
        name=KEYS_STREAM,
        subjects=[f"{KEYS_PREFIX}.>"],
        max_msgs_per_subject=1,
        max_bytes=KEYS_MAX_BYTES,
        num_replicas=settings.event_replicas,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        # Reads go to the leader: another replica may not have the latest revision yet, on which a change builds.
        allow_direct=False,
        deny_delete=True,
    )


def sessions_bucket(settings: CommonSettings) -> StreamConfig:
    """Sessions of browsers and one-time sign-in links, each kept for `SESSION_S`, as a key-value bucket."""
    return StreamConfig(
        name=SESSIONS_STREAM,
        subjects=[f"{SESSIONS_PREFIX}.>"],
        max_msgs_per_subject=1,
        max_bytes=SESSIONS_MAX_BYTES,
        max_age=SESSION_S,
        num_replicas=settings.event_replicas,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        allow_rollup_hdrs=True,
        allow_direct=True,
    )


async def declare(js: JetStreamContext, settings: CommonSettings) -> None:
    """Create or update everything; repeating it changes nothing, and no message is lost."""
    for stream in (*streams(settings), keys_bucket(settings), sessions_bucket(settings)):
        assert stream.name is not None
        try:
            await js.stream_info(stream.name)
            await js.update_stream(stream)
        except NotFoundError:
            await js.add_stream(stream)
        _log.info("stream declared", stream=stream.name)
    await _forget_progress_among_facts(js)
    for consumer in CONSUMERS:
        await js.add_consumer(consumer.stream, await _as_begun(js, consumer))
    _log.info("consumers declared", count=len(CONSUMERS))


async def _as_begun(js: JetStreamContext, consumer: Consumer) -> ConsumerConfig:
    """Where an existing consumer began stays: the server refuses to change it."""
    config = consumer_config(consumer)
    try:
        there = (await js.consumer_info(consumer.stream, consumer.name)).config
    except NotFoundError:
        return config
    return replace(config, deliver_policy=there.deliver_policy, opt_start_seq=there.opt_start_seq)


async def _forget_progress_among_facts(js: JetStreamContext) -> None:
    """Earlier versions kept progress in the stream of facts, which it filled."""
    for consumer in CONSUMERS:
        if consumer.stream == PROGRESS_STREAM:
            with suppress(NotFoundError):
                await js.delete_consumer(EVENTS_STREAM, consumer.name)
            await js.purge_stream(EVENTS_STREAM, subject=consumer.event.type)


async def main() -> None:
    """`python -m shared.topology`: run once before the services of a new version start."""
    settings = CommonSettings()
    telemetry.configure("topology", settings.instance, settings.log_level)
    async with connected(settings, "topology", attempts=30) as client:
        js = client.jetstream(timeout=10)
        await when_ready(lambda: declare(js, settings))


if __name__ == "__main__":
    result_of(main())
