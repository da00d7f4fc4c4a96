"""Sign-in by a link that works once."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.common.domain.errors import Missing, NotPermitted
from services.gateway.console.domain.sign_in_link import SignInLink, SignInLinkRequest, new_secret, record_name
from shared.security import Key, Keyring, NotAuthenticated
from shared.sessions import SessionStore

_REFUSED = "this link was used before, or it has expired; ask for a new one"


@dataclass(frozen=True)
class SignInLinks:
    """Makes links and redeems them. They lie in the bucket of the sessions."""

    store: SessionStore
    keyring: Keyring
    now: Callable[[], float] = time.time

    async def create(self, asked: SignInLinkRequest, caller: Key) -> tuple[str, SignInLink]:
        """A new link's secret, and what is stored of it."""
        key_id = asked.key_id or caller.id
        if not caller.owns(key_id):
            raise NotPermitted("Only an administrator can make a sign-in link for the owner of another key.")
        if self.keyring.get(key_id) is None:
            raise Missing(f"There is no key {key_id!r}.", param="key_id")
        secret = new_secret()
        link = SignInLink(key_id=key_id, expires_at=self.now() + asked.expires_in_s)
        await self.store.create(record_name(secret), link.model_dump_json().encode())
        return secret, link

    async def look(self, secret: str) -> Key:
        """The key that the link signs in with; the link stays good. Raises `NotAuthenticated`."""
        return self._key(await self.store.get(record_name(secret)))

    async def redeem(self, secret: str) -> Key:
        """The same, and the link is used up."""
        return self._key(await self.store.take(record_name(secret)))

    def _key(self, record: bytes | None) -> Key:
        link = SignInLink.model_validate_json(record) if record else None
        key = self.keyring.get(link.key_id) if link and self.now() < link.expires_at else None
        if key is None:
            raise NotAuthenticated(_REFUSED)
        return self.keyring.accepted(key, key.sha256)
