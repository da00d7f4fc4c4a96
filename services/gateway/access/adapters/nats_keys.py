"""API keys in NATS's key-value bucket."""

from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.common.adapters.jetstream import reach
from shared.keys import SharedKeys
from shared.security import Key


@dataclass(frozen=True)
class NatsKeyStore:
    """The keys that all services share."""

    shared: SharedKeys

    def all(self) -> tuple[Key, ...]:
        return self.shared.keyring.keys()

    async def get(self, key_id: str) -> Key | None:
        return await reach(self.shared.get(key_id))

    async def create(self, key: Key) -> None:
        await reach(self.shared.create(key))

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        return await reach(self.shared.change(key_id, decide))
