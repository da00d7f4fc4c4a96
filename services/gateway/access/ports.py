"""What access control needs from the outside."""

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.security import Key


class KeyStore(Protocol):
    """The API keys that all services share; writes raise `Unavailable` while NATS is away."""

    def all(self) -> Sequence[Key]: ...

    async def get(self, key_id: str) -> Key | None: ...

    async def create(self, key: Key) -> None: ...

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        """Change a key atomically; None when it does not exist. `decide` may run again, so it must be pure."""
        ...
