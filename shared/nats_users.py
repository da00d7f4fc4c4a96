"""NATS users: one for each service, which may publish its own events and read its own consumers, and two for people.

`python -m shared.nats_users` prints them for `nats.conf`. The passwords are environment variables of the server.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared import events
from shared.cloudevents import EventData
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM, Consumer
from shared.nats_replies import reply_prefix
from shared.topology import DEAD_PREFIX, DEAD_STREAM, KEYS_PREFIX, KEYS_STREAM, SESSIONS_PREFIX, SESSIONS_STREAM

PUBLISHED: Mapping[str, frozenset[type[EventData]]] = {
    "ingest": frozenset(
        {events.DatasetReady, events.DatasetRejected, events.DatasetRendered, events.TemplatePublished}
    ),
    "trainer": frozenset(
        {
            # A file that is uploaded with `train` asks for its training.
            events.TrainingRequested,
            events.TrainingQueued,
            events.TrainingProgress,
            events.CheckpointSaved,
            events.TrainingFinished,
        }
    ),
    "evaluator": frozenset(
        {
            events.EvalDone,
            events.EvaluationAnswered,
            events.EvaluationProgress,
            events.EvaluationRequested,
            events.SuitePublished,
            events.SuiteDeleted,
        }
    ),
    "review": frozenset(
        {
            events.AliasBound,
            events.EvaluationRequested,
            events.ModelApproved,
            events.ModelRejected,
            events.PolicyDeleted,
            events.PolicyPinned,
            events.PolicyPublished,
            events.ReviewOpened,
            events.ReviewScored,
            events.ReviewWaiting,
        }
    ),
    # It forwards the events that callers post, and replays dead letters of every service.
    "gateway": frozenset(events.EVENTS.values()),
}
"""What each service publishes, beside `audit.recorded`."""
TOPOLOGY, OPERATOR = "topology", "operator"
USERS = (*PUBLISHED, TOPOLOGY, OPERATOR)
_API = "$JS.API"


def permissions(user: str) -> dict[str, Any]:
    """The subjects of a user, as NATS's configuration has them; the operator may do everything."""
    if user == OPERATOR:
        return {"publish": ">", "subscribe": ">"}
    publish = [f"{_API}.>"] if user == TOPOLOGY else sorted(set(_publishes(user)))
    return {"publish": {"allow": publish}, "subscribe": {"allow": [f"{reply_prefix(user)}.>"]}}


def authorization(passwords: Mapping[str, str]) -> str:
    """The block `authorization` of `nats.conf`; a password that starts with `$` is an environment variable."""
    users = [{"user": user, "password": passwords[user], "permissions": permissions(user)} for user in USERS]
    text = json.dumps({"users": users}, indent=1)
    return "authorization: " + re.sub(r'"password": "(\$\w+)"', r'"password": \1', text) + "\n"


def password_variable(user: str) -> str:
    """The environment variable with a user's password."""
    return f"ASSAY_NATS_PASSWORD_{user.upper()}"


def _publishes(service: str) -> Iterable[str]:
    yield from (event.type for event in PUBLISHED[service])
    yield events.AuditRecorded.type
    yield f"{DEAD_PREFIX}.{service}-outbox"
    for consumer in CONSUMERS:
        if consumer.service == service:
            yield from _consumes(consumer)
    yield from _reads_keys()
    yield f"{_API}.STREAM.MSG.GET.{SESSIONS_STREAM}"
    for stream in (EVENTS_STREAM, PROGRESS_STREAM, DEAD_STREAM):
        yield f"{_API}.STREAM.INFO.{stream}"
    if service == "gateway":
        yield from _gateway()


def _consumes(consumer: Consumer) -> Iterable[str]:
    place = f"{consumer.stream}.{consumer.name}"
    yield f"{_API}.CONSUMER.INFO.{place}"
    yield f"{_API}.CONSUMER.MSG.NEXT.{place}"
    yield f"$JS.ACK.{place}.>"
    yield f"{DEAD_PREFIX}.{consumer.name}"


def _reads_keys() -> Iterable[str]:
    yield f"{_API}.STREAM.INFO.{KEYS_STREAM}"
    # The watch of the bucket is a consumer that ends with it.
    yield f"{_API}.CONSUMER.CREATE.{KEYS_STREAM}"
    yield f"{_API}.CONSUMER.CREATE.{KEYS_STREAM}.>"
    yield f"{_API}.CONSUMER.INFO.{KEYS_STREAM}.*"
    yield f"{_API}.CONSUMER.DELETE.{KEYS_STREAM}.*"
    yield f"$JS.FC.{KEYS_STREAM}.>"


def _gateway() -> Iterable[str]:
    """Keys and sessions are its own; it follows events for callers, and lists and replays dead letters."""
    yield f"{KEYS_PREFIX}.>"
    yield f"{SESSIONS_PREFIX}.>"
    yield f"{_API}.STREAM.MSG.GET.{KEYS_STREAM}"
    yield f"{_API}.STREAM.PURGE.{SESSIONS_STREAM}"
    yield f"{_API}.STREAM.MSG.DELETE.{DEAD_STREAM}"
    for stream in (EVENTS_STREAM, PROGRESS_STREAM, DEAD_STREAM):
        yield f"{_API}.STREAM.MSG.GET.{stream}"
    for stream in (EVENTS_STREAM, PROGRESS_STREAM):
        # A consumer without a name, which ends with its reader: it cannot replace a service's.
        yield f"{_API}.CONSUMER.CREATE.{stream}"
        yield f"{_API}.CONSUMER.MSG.NEXT.{stream}.*"


if __name__ == "__main__":
    print(authorization({user: f"${password_variable(user)}" for user in USERS}), end="")
