"""Keys, people, usage, audit entries, webhooks and dead letters of a gateway in memory."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.gateway.access.domain.audit_entry import AuditEntry
from services.gateway.access.domain.invitation import Invitation
from services.gateway.access.domain.limits import Tally
from services.gateway.access.domain.usage import Usage, today
from services.gateway.access.service.audit_log import AuditLog
from services.gateway.access.service.invitations import Invitations
from services.gateway.access.service.keys import Keys
from services.gateway.access.service.people import People
from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.console.service.sign_in_links import SignInLinks
from services.gateway.events.domain.webhook import Webhook
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from services.gateway.events.ports import DeadLetter
from services.gateway.events.service.dead_letters import DeadLetters
from services.gateway.events.service.webhooks import Webhooks
from shared.security import Keyring
from shared.store import MemoryStore
from tests.browser.site import MemorySessionStore
from tests.memory_keys import MemoryKeys

HOSTILE = "<script>alert(1)</script>"


@dataclass
class MemoryDeadLetters:
    """Dead letters by their place, and the places that were replayed."""

    letters: dict[int, DeadLetter] = field(default_factory=dict[int, DeadLetter])
    replayed: list[int] = field(default_factory=list[int])

    async def places(self) -> list[int]:
        return sorted(self.letters)

    async def get(self, place: int) -> DeadLetter | None:
        return self.letters.get(place)

    async def replay(self, place: int) -> str | None:
        letter = self.letters.pop(place, None)
        if letter is None:
            return None
        self.replayed.append(place)
        return letter.event["type"]


class Reachable:
    """An endpoint that answers every call."""

    async def check(self, url: str) -> None: ...

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> int:
        return 200


@dataclass
class AdminData:
    """The stores of the parts access and events, in memory."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("gateway"))
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)

    def __post_init__(self) -> None:
        self.usage = self.store.collection("usage", Usage)
        self.audit = self.store.collection("audit", AuditEntry)
        self.invitations = self.store.collection("invitations", Invitation)
        self.webhooks = self.store.collection("webhooks", Webhook)
        self.deliveries = self.store.collection("webhook_deliveries", WebhookDelivery)

    def use_cases(self, keyring: Keyring, sessions: MemorySessionStore) -> dict[str, Any]:
        """What the pages are given, by name."""
        keys = MemoryKeys(keyring)
        tallies = self.store.collection("tallies", Tally)
        return {
            "keys": Keys(store=keys),
            "people": People(store=keys, sessions=sessions),
            "invitations": Invitations(invitations=self.invitations, keys=keys),
            "sign_in_links": SignInLinks(store=sessions, keyring=keyring),
            "ledger": UsageLedger(tallies=tallies, usage_rows=self.usage, flush_s=1),
            "audit_log": AuditLog(entries=self.audit),
            "webhooks": Webhooks(views=self.webhooks, deliveries=self.deliveries, client=Reachable()),
            "dead_letters": DeadLetters(letters=self.dead_letters),
        }

    def add_letter(self, place: int, event_type: str, consumer: str) -> None:
        event = {"type": event_type, "subject": HOSTILE, "data": {"job_id": f"ftjob-{place}"}}
        self.dead_letters.letters[place] = DeadLetter(
            id=str(place),
            time="2026-11-28 22:00",
            subject=f"dead.{event_type}",
            consumer=consumer,
            deliveries=20,
            error=f"the artifact is not there: {HOSTILE}",
            event=event,
        )


def entry(number: int, **fields: Any) -> AuditEntry:
    told: dict[str, Any] = {
        "key_id": "key_a1",
        "key_name": HOSTILE,
        "action": "POST /v1/keys",
        "path": "/v1/keys",
        "object_id": f"key_{number}",
        "status": 201,
        "request_id": "a" * 32,
        "client": "127.0.0.1",
    }
    return AuditEntry(id=f"audit-{number:06}", at=time.time() - number, **{**told, **fields})


def used(key_id: str, version: str, tokens: int, days_ago: int = 0) -> Usage:
    day = today(time.time() - days_ago * 86_400)
    return Usage(
        id=f"{key_id}/{version}/{day}/x",
        key_id=key_id,
        version=version,
        day=day,
        requests=3,
        prompt_tokens=tokens,
        completion_tokens=tokens // 2,
    )
