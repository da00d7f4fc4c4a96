"""Whether the databases hold what the streams say that they were told; else what they name is not known."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from shared.consumers import CONSUMERS, Consumer
from shared.garbage_collection.databases import Databases
from shared.garbage_collection.messages import ConsumerProgress, StoredMessage
from shared.garbage_collection.refusal import CollectionRefused

_BY_SUBJECT: dict[tuple[str, str], list[Consumer]] = {}
for _each in CONSUMERS:
    _BY_SUBJECT.setdefault((_each.stream, _each.event.type), []).append(_each)
# Dead letters are handled, but not in the inbox.
_KNOWN_SHARE = 0.5


class Evidence:
    """What the messages say. `inbox_since` is the time since when no inbox has forgotten an event."""

    def __init__(self, progress: ConsumerProgress, inbox_since: float, before: float) -> None:
        self._progress, self._inbox_since, self._before = progress, inbox_since, before
        self._messages: dict[str, int] = {}
        self._oldest: dict[Consumer, StoredMessage] = {}
        """The oldest message that each consumer has handled and its inbox must know."""
        self._newest: dict[Consumer, StoredMessage] = {}
        self._behind: dict[Consumer, float] = {}
        """Since when a fact waits from which a service rebuilds its database."""

    def add(self, message: StoredMessage) -> None:
        for consumer in _BY_SUBJECT.get((message.stream, message.subject), ()):
            self._messages[consumer.service] = self._messages.get(consumer.service, 0) + 1
            if not self._progress.has_handled(consumer, message):
                if consumer.own and message.at < self._before:
                    self._behind.setdefault(consumer, message.at)
            elif message.at >= self._inbox_since:
                # Archived facts are read after newer ones.
                known = self._oldest.get(consumer, message), self._newest.get(consumer, message)
                self._oldest[consumer] = min(known[0], message, key=_place)
                self._newest[consumer] = max(known[1], message, key=_place)

    def check(self, databases: Databases, documents: Mapping[str, int]) -> None:
        """Raise `CollectionRefused` unless each database is the one that its events were handled with."""
        if not self._messages and any(documents.values()):
            raise CollectionRefused("the databases hold documents, but the streams no events: check ASSAY_NATS_URL")
        for consumer, since in self._behind.items():
            raise CollectionRefused(
                f"{consumer.service} is rebuilding its database: {consumer.name} has facts to handle since "
                f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC. Start {consumer.service}, wait until it is "
                "ready, and try again"
            )
        for service, count in sorted(self._messages.items()):
            if not documents[service]:
                raise _lost(service, databases, f"is empty, although the streams hold {count:,} events for {service}")
            self._check_inbox(service, databases)

    def _check_inbox(self, service: str, databases: Databases) -> None:
        """The oldest are unknown to a database that was lost, the newest to one that was restored as it was before."""
        for handled in (self._oldest, self._newest):
            of_service = {each.name: message for each, message in handled.items() if each.service == service}
            known = sum(databases.has_handled(service, name, _id(each.data)) for name, each in of_service.items())
            if known < _KNOWN_SHARE * len(of_service):
                raise _lost(service, databases, f"knows {known} of {len(of_service)} events that {service} has handled")


def _lost(service: str, databases: Databases, why: str) -> CollectionRefused:
    return CollectionRefused(
        f"the database {databases.names[service]} {why}. Check ASSAY_MONGO_URL and ASSAY_DATABASE_PREFIX; if the "
        f"database was lost, restore it or rebuild it (`python -m shared.replay {service}`), and try again"
    )


def _place(message: StoredMessage) -> int:
    return message.sequence


def _id(data: bytes) -> str:
    try:
        return str(json.loads(data)["id"])
    except (ValueError, KeyError, TypeError):
        return ""
