"""Nothing is collected while a database is not the one that its events were handled with."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from shared import events
from shared.archive.segments import Archive, ArchivedEvent
from shared.cloudevents import EventData
from shared.consumers import CONSUMERS, consumer_of
from shared.garbage_collection.databases import Databases
from shared.garbage_collection.messages import ConsumerProgress, StoredMessage, archived
from shared.garbage_collection.refusal import CollectionRefused
from shared.garbage_collection.trust import Evidence

NOW, DAY_S = 1_800_000_000.0, 86_400.0
REVIEWED = consumer_of("review", events.EvalDone)
OWN = consumer_of("review", events.PolicyPublished, own=True)
FULL = {"ingest": 9, "trainer": 9, "evaluator": 9, "review": 9, "gateway": 9}


class Inboxes(Databases):
    """Inboxes that know some of the events."""

    def __init__(self, known: Collection[str]) -> None:
        self.names = {name: f"assay_{name}" for name in FULL}
        self._known = known

    def has_handled(self, service: str, consumer: str, event_id: str) -> bool:
        return f"{consumer}/{event_id}" in self._known


def message(sequence: int, event: type[EventData], days_ago: float = 10) -> StoredMessage:
    data = json.dumps({"id": f"evt-{sequence}"}).encode()
    return StoredMessage("ASSAY_EVENTS", sequence, event.type, NOW - days_ago * DAY_S, data)


def evidence(*messages: StoredMessage, handled: int = 100) -> Evidence:
    found = Evidence(ConsumerProgress(dict.fromkeys(CONSUMERS, handled)), NOW - 90 * DAY_S, NOW - 7 * DAY_S)
    for each in messages:
        found.add(each)
    return found


def test_databases_whose_inboxes_know_the_events_are_trusted() -> None:
    consumers = [each for each in CONSUMERS if each.event is events.EvalDone]
    evidence(message(1, events.EvalDone)).check(Inboxes([f"{each.name}/evt-1" for each in consumers]), FULL)


def test_an_empty_database_is_refused_while_the_streams_hold_its_events() -> None:
    with pytest.raises(CollectionRefused, match=r"assay_review is empty.*shared\.replay review"):
        evidence(message(1, events.EvaluationAnswered, days_ago=100)).check(Inboxes(()), {**FULL, "review": 0})


def test_a_database_that_does_not_know_what_it_has_handled_is_refused() -> None:
    """It was lost, and the service went on with an empty one."""
    with pytest.raises(CollectionRefused, match="assay_evaluator knows 0 of 1 events"):
        evidence(message(1, events.EvalDone)).check(Inboxes(()), FULL)


def test_a_database_that_was_restored_as_it_was_before_its_newest_events_is_refused() -> None:
    known = [f"{each.name}/evt-1" for each in CONSUMERS if each.event is events.EvalDone]
    with pytest.raises(CollectionRefused, match="knows 0 of 1 events"):
        evidence(message(1, events.EvalDone), message(2, events.EvalDone)).check(Inboxes(known), FULL)


def test_an_event_that_the_inbox_may_have_forgotten_is_no_reason_to_refuse() -> None:
    evidence(message(1, events.EvalDone, days_ago=100)).check(Inboxes(()), FULL)


def test_one_dead_letter_is_no_reason_to_refuse() -> None:
    known = [f"{each.name}/evt-2" for each in CONSUMERS if each.event is events.TrainingFinished]
    known += [f"{each.name}/evt-1" for each in CONSUMERS if each.event is events.EvalDone and each != REVIEWED]
    evidence(message(1, events.EvalDone), message(2, events.TrainingFinished)).check(Inboxes(known), FULL)


def test_a_database_that_is_being_rebuilt_is_refused() -> None:
    with pytest.raises(CollectionRefused, match=f"review is rebuilding its database: {OWN.name}"):
        evidence(message(1, events.PolicyPublished), handled=0).check(Inboxes(()), FULL)


def test_young_events_that_wait_are_no_reason_to_refuse() -> None:
    evidence(message(1, events.PolicyPublished, days_ago=1), handled=0).check(Inboxes(()), FULL)


def test_databases_with_documents_and_streams_without_events_are_refused() -> None:
    with pytest.raises(CollectionRefused, match="check ASSAY_NATS_URL"):
        evidence().check(Inboxes(()), FULL)
    evidence().check(Inboxes(()), dict.fromkeys(FULL, 0))


def test_archived_facts_are_read_as_they_were_in_their_stream(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path / "events"))
    events_of_both = [ArchivedEvent(n, f"2026-07-0{n}T00:00:00+00:00", "eval.done", b"{}") for n in (1, 2, 3)]
    archive.write(events_of_both[:2])
    archive.write(events_of_both[2:])
    found = list(archived(archive))
    assert [(each.stream, each.sequence, each.subject) for each in found] == [
        ("ASSAY_EVENTS", n, "eval.done") for n in (1, 2, 3)
    ]
    assert found[1].at - found[0].at == DAY_S


def test_archived_facts_that_are_read_last_are_still_the_oldest() -> None:
    known = [f"{each.name}/evt-9" for each in CONSUMERS if each.event is events.EvalDone]
    with pytest.raises(CollectionRefused, match="knows 0 of 1 events"):
        evidence(message(9, events.EvalDone), message(1, events.EvalDone, days_ago=20)).check(Inboxes(known), FULL)
