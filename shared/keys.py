"""API keys shared by all machines: a key-value bucket in NATS that every service follows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from nats.js.errors import InvalidKeyError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from shared import telemetry
from shared.bus import Bus
from shared.security import Key, Keyring
from shared.topology import KEYS_BUCKET

_log = telemetry.logger(__name__)


@dataclass
class SharedKeys:
    """The bucket, and this process's keyring that is kept like it."""

    bus: Bus
    keyring: Keyring
    every_s: float = 1.0
    _read: int = field(default=0, init=False)
    """The newest revision that was read; an older one than the bucket's newest is read again."""

    async def follow(self) -> None:
        """Keep the keyring like the bucket until cancelled; while NATS is away the last known keys are used."""
        # Polled, because a subscription could end silently when a server restarts.
        while True:
            await asyncio.sleep(self.every_s)
            try:
                await self.catch_up()
            except Exception as error:
                _log.warning("keys may be outdated", error=f"{type(error).__name__}: {error}")

    async def catch_up(self) -> None:
        """Read the bucket if it has changed since the last call."""
        bucket = await self._bucket()
        state = (await bucket.status()).stream_info.state
        if state.last_seq == self._read or not state.messages:
            return
        entries: list[KeyValue.Entry] = []
        watcher = await bucket.watchall()
        try:
            # None follows the entries that the bucket held when the watch began.
            while isinstance(entry := await watcher.updates(), KeyValue.Entry):
                entries.append(entry)
        finally:
            await watcher.stop()
        self.keyring.learn(map(_key_of, entries))
        # Not `last_seq`: in a cluster the watch may read a replica that does not have the newest entries yet.
        self._read = max((entry.revision or 0 for entry in entries), default=0)

    async def get(self, key_id: str) -> Key | None:
        key, _ = await self._last(key_id)
        return key

    async def create(self, key: Key) -> None:
        """Add a key; raises `KeyWrongLastSequenceError` when its id exists."""
        await (await self._bucket()).create(key.id, _bytes_of(key))
        self.keyring.learn([key])

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        """Change a key atomically; None when it is unknown. `decide` may be called again, so it must be pure."""
        while True:
            known, revision = await self._last(key_id)
            if known is None or known.deleted:
                return None
            changed = decide(known)
            with suppress(KeyWrongLastSequenceError):
                await (await self._bucket()).update(key_id, _bytes_of(changed), last=revision)
                self.keyring.learn([changed])
                return changed

    async def _last(self, key_id: str) -> tuple[Key | None, int]:
        try:
            entry = await (await self._bucket()).get(key_id)
        except (KeyNotFoundError, InvalidKeyError):
            # Not in the bucket; the file may hold it.
            return self.keyring.get(key_id), 0
        return _key_of(entry), entry.revision or 0

    async def _bucket(self) -> KeyValue:
        return await self.bus.jetstream.key_value(KEYS_BUCKET)


def _key_of(entry: KeyValue.Entry) -> Key:
    return Key.model_validate_json(entry.value or b"")


def _bytes_of(key: Key) -> bytes:
    return key.model_dump_json(exclude_defaults=True).encode()
