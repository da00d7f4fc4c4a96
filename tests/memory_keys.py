"""The bucket of API keys, in memory."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.security import Key, Keyring


@dataclass
class MemoryKeys:
    """The bucket of keys, in memory, and the keyring that follows it."""

    keyring: Keyring

    def all(self) -> tuple[Key, ...]:
        return self.keyring.keys()

    async def get(self, key_id: str) -> Key | None:
        return self.keyring.get(key_id)

    async def create(self, key: Key) -> None:
        self.keyring.learn([key])

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        known = self.keyring.get(key_id)
        if known is None or known.deleted:
            return None
        self.keyring.learn([decide(known)])
        return self.keyring.get(key_id)
