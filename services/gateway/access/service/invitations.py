"""Invitations: made and revoked by administrators, accepted once."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.access.domain.invitation import Invitation, InvitationRequest, id_of, new_secret
from services.gateway.access.ports import KeyStore
from services.gateway.common.domain.errors import Conflict, Missing
from shared.cloudevents import EventData
from shared.security import Key, NotAuthenticated, new_key
from shared.store import Collection, Cursor, Page
from shared.web import Unavailable

_MAKING_S = 15.0
"""Longer than an attempt to store a person takes."""
_WHY = {
    "used": "this invitation was used before; sign in with a new link, which an administrator makes",
    "expired": "this invitation has expired; ask an administrator for a new one",
    "revoked": "this invitation was revoked; ask an administrator for a new one",
}


@dataclass(frozen=True)
class Invitations:
    """The use cases over invitations. `accept` makes the person's own key, which signs them in."""

    invitations: Collection[Invitation]
    keys: KeyStore
    now: Callable[[], float] = time.time

    async def create(self, asked: InvitationRequest, author: Key) -> tuple[str, Invitation]:
        """A new invitation and the secret of its link, which is kept nowhere."""
        secret, now = new_secret(), self.now()
        wanted = asked.model_dump(exclude={"expires_in_s", "scopes"})
        invitation = Invitation(
            id=id_of(secret),
            at=now,
            author=author.id,
            scopes=tuple(dict.fromkeys(asked.scopes)),
            expires_at=now + asked.expires_in_s,
            **wanted,
        )
        await self.invitations.create(invitation)
        return secret, invitation

    async def page(self, cursor: Cursor) -> Page[Invitation]:
        return await self.invitations.page(cursor)

    async def look(self, secret: str) -> Invitation:
        """The invitation of a link, which stays good; raises `NotAuthenticated` for one that does not work."""
        found = await self.invitations.get(id_of(secret))
        if found is None:
            raise NotAuthenticated("this invitation is not known here; ask an administrator for a new one")
        state = found.state(self.now())
        if state != "open" and not await self._lacks_person(found):
            raise NotAuthenticated(_WHY[state])
        return found

    async def accept(self, secret: str, name: str, language: str) -> Key:
        """Use the invitation up and make the person; of several at once, one succeeds. Raises `NotAuthenticated`."""
        invitation = await self.look(secret)
        made, _ = new_key(name.strip()[:64] or invitation.name, invitation.scopes)
        spoken = language if language in ("en", "zh") else invitation.language
        person = made.model_copy(update={"person_id": made.id, "language": spoken, "team": invitation.team})
        if invitation.used_at is not None:
            person = person.model_copy(update={"id": invitation.person_id, "person_id": invitation.person_id})
            await self.keys.create(person)
            return person
        now = self.now()

        def use(known: Invitation) -> tuple[Invitation, list[EventData]] | None:
            if known.state(now) != "open":
                return None
            return known.model_copy(update={"used_at": now, "person_id": person.id}), []

        used = await self.invitations.change(invitation.id, use)
        if used is None or used.person_id != person.id:
            raise NotAuthenticated(_WHY[used.state(now)] if used else _WHY["revoked"])
        await self.keys.create(person)
        return person

    async def _lacks_person(self, used: Invitation) -> bool:
        """Whether an invitation was used while NATS was away, so that its person could not be stored.

        Raises `Unavailable` while that may still happen.
        """
        now = self.now()
        if used.used_at is None or now >= used.expires_at or await self.keys.get(used.person_id) is not None:
            return False
        if now - used.used_at < _MAKING_S:
            raise Unavailable("this invitation is being used; try again in some seconds")
        return True

    async def revoke(self, invitation_id: str) -> Invitation:
        """Make a link useless; raises `Missing`, or `Conflict` for one that was used."""

        def decide(known: Invitation) -> tuple[Invitation, list[EventData]] | None:
            return None if known.used_at is not None else (known.model_copy(update={"revoked": True}), [])

        found = await self.invitations.change(invitation_id, decide)
        if found is None:
            raise Missing(f"No such invitation: {invitation_id}", param="id", code="invitation_not_found")
        if found.used_at is not None:
            message = "This invitation was used; remove the person instead."
            raise Conflict(message, param="id", code="invitation_used")
        return found
