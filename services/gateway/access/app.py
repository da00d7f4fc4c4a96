"""Builds the access part: keys, limits, usage, audit."""

from dataclasses import dataclass

from services.gateway.access import handlers
from services.gateway.access.adapters.nats_keys import NatsKeyStore
from services.gateway.access.api import audit, keys, people, usage
from services.gateway.access.domain.audit_entry import AuditEntry
from services.gateway.access.domain.invitation import Invitation
from services.gateway.access.domain.limits import Tally
from services.gateway.access.domain.usage import Usage
from services.gateway.access.service.audit_log import AuditLog
from services.gateway.access.service.event_rate import EventRate
from services.gateway.access.service.invitations import Invitations
from services.gateway.access.service.keys import Keys
from services.gateway.access.service.people import People
from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.app import Part, Resources
from shared.keys import SharedKeys
from shared.retention import Retention
from shared.sessions import NatsSessionStore

AUDIT_INDEXES = ("at", *((name, "at") for name in ("key_id", "action", "object_id", "service")))


@dataclass(frozen=True)
class Access:
    """The part, and what other parts use of it."""

    part: Part
    ledger: UsageLedger
    event_rate: EventRate
    audit_log: AuditLog
    keys: Keys
    people: People
    invitations: Invitations


def access(resources: Resources) -> Access:
    settings = resources.settings
    ledger = _ledger(resources, "tallies")
    event_rate = EventRate(ledger=_ledger(resources, "event_tallies"), quotas=resources.quotas)
    audit_log = AuditLog(entries=resources.collection("audit", AuditEntry, AUDIT_INDEXES))
    key_store = NatsKeyStore(SharedKeys(resources.bus, resources.keyring))
    key_use_cases = Keys(store=key_store)
    person_use_cases = People(store=key_store, sessions=NatsSessionStore(resources.bus))
    invitations = Invitations(
        invitations=resources.collection("invitations", Invitation, ["at", "expires_at"]), keys=key_store
    )
    part = Part(
        routes=[keys.routes, people.routes, people.invitation_routes, usage.routes, audit.routes],
        dependencies={
            "ledger": ledger,
            "audit_log": audit_log,
            "keys": key_use_cases,
            "people": person_use_cases,
            "invitations": invitations,
        },
        retentions=[
            Retention(audit_log.entries, settings.audit_days),
            Retention(invitations.invitations, settings.audit_days, by="expires_at"),
            Retention(ledger.usage_rows, settings.usage_days, by="day", by_day=True),
            # Only the current minute counts. The counts of chat stay: budgets are sums over all of them.
            Retention(event_rate.ledger.tallies, 1),
        ],
        subscribe=lambda: handlers.subscribe(resources.bus, audit_log),
    )
    return Access(
        part=part,
        ledger=ledger,
        event_rate=event_rate,
        audit_log=audit_log,
        keys=key_use_cases,
        people=person_use_cases,
        invitations=invitations,
    )


def _ledger(resources: Resources, tallies: str) -> UsageLedger:
    """Counts that gateways exchange through the collection `tallies`."""
    return UsageLedger(
        tallies=resources.collection(tallies, Tally, ["at"], few=True),
        usage_rows=resources.collection("usage", Usage, ["day", ("key_id", "day")]),
        flush_s=resources.settings.settle_s,
    )
