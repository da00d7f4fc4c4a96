"""The durable consumers: which service handles which event, and which of its own facts it restores from."""

from dataclasses import dataclass

from nats.js.api import AckPolicy, ConsumerConfig

from shared import events
from shared.cloudevents import EventData

EVENTS_STREAM = "ASSAY_EVENTS"
PROGRESS_STREAM = "ASSAY_PROGRESS"
ACK_WAIT_S = 30.0
MAX_DELIVER = 20
MAX_DELIVER_LONG = 100


@dataclass(frozen=True)
class Consumer:
    """A durable consumer of one event, shared by a service's replicas. `long` marks work that takes minutes.

    `own` marks facts that the service itself publishes, from which it rebuilds a lost database. `batch` is how many
    events a process fetches at once: 1 where one event can take long, so that other processes get the others.
    """

    service: str
    event: type[EventData]
    long: bool = False
    own: bool = False
    batch: int = 100

    @property
    def name(self) -> str:
        return f"{self.service}-{'own-' if self.own else ''}{self.event.type.replace('.', '_')}"

    @property
    def stream(self) -> str:
        return stream_of(self.event)

    @property
    def fetched_at_once(self) -> int:
        return 1 if self.long else self.batch

    @property
    def max_deliver(self) -> int:
        # Long work is redelivered after each crash of its worker, for which the event is not to blame.
        return MAX_DELIVER_LONG if self.long else MAX_DELIVER


CONSUMERS: tuple[Consumer, ...] = (
    Consumer("ingest", events.DatasetUploaded, batch=1),
    Consumer("ingest", events.FileDeleted),
    Consumer("ingest", events.SuitePublished, batch=1),
    Consumer("ingest", events.SuiteDeleted),
    Consumer("ingest", events.PoolChanged),
    Consumer("ingest", events.TrainingRequested, batch=1),
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
    *(
        Consumer(service, event, own=True)
        for service, own_facts in {
            "ingest": (events.TemplatePublished, events.DatasetReady, events.DatasetRejected),
            "evaluator": (events.SuitePublished, events.SuiteDeleted, events.EvalDone, events.EvaluationAnswered),
            "review": (
                events.PolicyPublished,
                events.PolicyDeleted,
                events.AliasBound,
                events.PolicyPinned,
                events.ReviewScored,
                events.ModelApproved,
                events.ModelRejected,
            ),
            "gateway": (
                events.AliasClaimed,
                events.PermissionChanged,
                events.FileDeleted,
                events.TrainingCancelRequested,
                events.JobEnded,
                events.ModelDeployed,
                events.ModelDeploymentFailed,
                events.ModelDeleted,
                events.ModelRolledBack,
                events.PoolChanged,
                events.RoutingChanged,
            ),
        }.items()
        for event in own_facts
    ),
)


def stream_of(event: type[EventData]) -> str:
    """The stream that keeps an event."""
    return PROGRESS_STREAM if event.is_progress else EVENTS_STREAM


def consumer_of(service: str, event: type[EventData], *, own: bool = False) -> Consumer:
    """The declared consumer; raises `LookupError` if it is not in `CONSUMERS`."""
    for consumer in CONSUMERS:
        if consumer.service == service and consumer.event is event and consumer.own == own:
            return consumer
    raise LookupError(f"{service} is not declared as a consumer of {event.type} in shared/consumers.py")


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
