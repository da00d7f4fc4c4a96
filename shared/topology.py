"""JetStream's streams and consumers, and the idempotent step that creates and updates them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from shared import events, telemetry
from shared.cloudevents import EventData
from shared.nats_replies import connection_options
from shared.settings import CommonSettings

EVENTS_STREAM = "ASSAY_EVENTS"
PROGRESS_STREAM = "ASSAY_PROGRESS"
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
ACK_WAIT_S = 30.0
PUBLISH_TIMEOUT_S = 5.0
MAX_DELIVER = 20
MAX_DELIVER_LONG = 100

_log = telemetry.logger(__name__)


@dataclass(frozen=True)
class Consumer:
    """A durable consumer of one event, shared by a service's replicas. `long` marks work that takes minutes."""

    service: str
    event: type[EventData]
    long: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}-{self.event.type.replace('.', '_')}"

    @property
    def stream(self) -> str:
        return stream_of(self.event)

    @property
    def max_deliver(self) -> int:
        # Long work is redelivered after each crash of its worker, for which the event is not to blame.
        return MAX_DELIVER_LONG if self.long else MAX_DELIVER


CONSUMERS: tuple[Consumer, ...] = (
    Consumer("ingest", events.DatasetUploaded),
    Consumer("ingest", events.FileDeleted),
    Consumer("ingest", events.SuitePublished),
    Consumer("ingest", events.SuiteDeleted),
    Consumer("ingest", events.PoolChanged),
    Consumer("ingest", events.TrainingRequested),
    Consumer("trainer", events.DatasetUploaded),
    Consumer("trainer", events.FileDeleted),
    Consumer("trainer", events.SuitePublished),
    Consumer("trainer", events.SuiteDeleted),
    Consumer("trainer", events.PolicyPublished),
    Consumer("trainer", events.PolicyDeleted),
    Consumer("trainer", events.DatasetReady),
    Consumer("trainer", events.DatasetRejected),
    Consumer("trainer", events.DatasetRendered),
    Consumer("trainer", events.PoolChanged),
    Consumer("trainer", events.TrainingRequested),
    Consumer("trainer", events.TrainingCancelRequested),
    Consumer("trainer", events.TrainingPauseRequested),
    Consumer("trainer", events.TrainingResumeRequested),
    Consumer("trainer", events.EvalDone),
    Consumer("trainer", events.TrainingQueued, long=True),
    Consumer("evaluator", events.CheckpointSaved, long=True),
    Consumer("evaluator", events.EvaluationRequested, long=True),
    Consumer("evaluator", events.PolicyPinned),
    Consumer("evaluator", events.ModelDeployed),
    Consumer("evaluator", events.ModelRolledBack),
    Consumer("evaluator", events.ReviewScored, long=True),
    Consumer("review", events.TrainingRequested),
    Consumer("review", events.EvalDone),
    Consumer("review", events.EvaluationAnswered),
    Consumer("review", events.TrainingFinished),
    Consumer("gateway", events.DatasetUploaded),
    Consumer("gateway", events.DatasetReady),
    Consumer("gateway", events.DatasetRejected),
    Consumer("gateway", events.TrainingRequested),
    Consumer("gateway", events.TrainingPauseRequested),
    Consumer("gateway", events.TrainingResumeRequested),
    Consumer("gateway", events.TrainingQueued),
    Consumer("gateway", events.TrainingProgress),
    Consumer("gateway", events.CheckpointSaved),
    Consumer("gateway", events.TrainingFinished),
    Consumer("gateway", events.EvalDone),
    Consumer("gateway", events.ReviewOpened),
    Consumer("gateway", events.ModelApproved),
    Consumer("gateway", events.ModelRejected),
    Consumer("gateway", events.AuditRecorded),
    Consumer("gateway", events.TemplatePublished),
    Consumer("gateway", events.SuitePublished),
    Consumer("gateway", events.SuiteDeleted),
    Consumer("gateway", events.PolicyPublished),
    Consumer("gateway", events.PolicyDeleted),
    Consumer("gateway", events.AliasBound),
    Consumer("gateway", events.PoolChanged),
)


def stream_of(event: type[EventData]) -> str:
    """The stream that keeps an event."""
    return PROGRESS_STREAM if event.is_progress else EVENTS_STREAM


def consumer_of(service: str, event: type[EventData]) -> Consumer:
    """The declared consumer; raises `LookupError` if it is not in `CONSUMERS`."""
    for consumer in CONSUMERS:
        if consumer.service == service and consumer.event is event:
            return consumer
    raise LookupError(f"{service} is not declared as a consumer of {event.type} in shared/topology.py")


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


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    """A durable pull consumer with explicit acknowledgement."""
    return ConsumerConfig(
        durable_name=consumer.name,
        filter_subject=consumer.event.type,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_deliver=consumer.max_deliver,
        max_ack_pending=1000,
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
        await js.add_consumer(consumer.stream, consumer_config(consumer))
    _log.info("consumers declared", count=len(CONSUMERS))


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
    options = {"max_reconnect_attempts": 30, **connection_options("topology")}
    client = await nats.connect(settings.nats_url.split(","), **options)
    try:
        await declare(client.jetstream(timeout=10), settings)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
