"""The permissions of NATS's users follow from the topology and from what each service publishes."""

import ast
from pathlib import Path

import pytest

from shared import events, topology
from shared.nats_users import PUBLISHED, USERS, authorization, password_variable, permissions

SERVICES = Path(__file__).parents[3] / "services"
NAMES = {event.__name__: event for event in events.EVENTS.values()}
# Made to compute a preview, and never published.
UNPUBLISHED = {"job_preview.py"}


def made_by(service: str) -> set[type]:
    """The events that the code of a service makes."""
    found: set[type] = set()
    for path in (SERVICES / service).rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
        found |= {NAMES[name] for name in names & set(NAMES) if path.name not in UNPUBLISHED}
    return found


@pytest.mark.parametrize("service", list(PUBLISHED))
def test_a_service_may_publish_every_event_that_its_code_makes(service: str) -> None:
    assert made_by(service) - PUBLISHED[service] == set()


@pytest.mark.parametrize("service", sorted(set(PUBLISHED) - {"gateway"}))
def test_a_service_publishes_nothing_that_another_service_owns(service: str) -> None:
    others = [owned for name, owned in PUBLISHED.items() if name not in (service, "gateway")]
    # A question to the evaluator may come from review, and from the evaluator's own page.
    shared = {events.EvaluationRequested}
    assert not PUBLISHED[service] & frozenset[type]().union(*others) - shared


def test_every_service_may_read_its_consumers_and_no_other() -> None:
    for consumer in topology.CONSUMERS:
        pulled = f"$JS.API.CONSUMER.MSG.NEXT.{consumer.stream}.{consumer.name}"
        allowed = [user for user in PUBLISHED if pulled in permissions(user)["publish"]["allow"]]
        assert allowed == [consumer.service]


def test_passwords_come_from_the_environment_of_the_server() -> None:
    text = authorization({user: f"${password_variable(user)}" for user in USERS})
    assert '"password": $ASSAY_NATS_PASSWORD_REVIEW' in text
    assert authorization(dict.fromkeys(USERS, "secret")).count('"password": "secret"') == len(USERS)
