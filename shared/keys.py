"""API keys that several machines share: a key-value bucket in NATS, which every service follows."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import KeyWrongLastSequenceError, NotFoundError

from shared import telemetry
from shared.bus import PUBLISH_TIMEOUT_S, Bus
from shared.security import Key, Keyring
from shared.topology import KEYS_PREFIX, KEYS_STREAM

_log = telemetry.logger(__name__)
_WRONG_LAST_SEQUENCE = 10071


@dataclass
class SharedKeys:
    """The bucket, and this process's keyring that is kept like it."""

    bus: Bus
    keyring: Keyring
    every_s: float = 1.0
    _read: int = field(default=0, init=False)
    """The place in the bucket's stream up to which the keyring is like it."""

    async def follow(self) -> None:
        """Keep the keyring like the bucket until cancelled; while NATS is away the keys known last are good."""
        # Looked at, not subscribed to: there is nothing that could be lost when a server goes and comes.
        while True:
            await asyncio.sleep(self.every_s)
            try:
                await self.catch_up()
            except Exception as error:
                _log.warning("keys may be old", error=f"{type(error).__name__}: {error}")

    async def catch_up(self) -> None:
        """Learn what was written since the last look."""
        js: JetStreamContext = self.bus.jetstream
        newest = (await js.stream_info(KEYS_STREAM)).state.last_seq
        while self._read < newest:
            try:
                message = await js.get_msg(KEYS_STREAM, self._read + 1, f"{KEYS_PREFIX}.>", next=True)
            except NotFoundError:
                break
            self._learn(message)
        self._read = newest

    async def get(self, key_id: str) -> Key | None:
        found, _ = await self._last(key_id)
        return found

    async def create(self, key: Key) -> None:
        await self._write(key, 0)

    async def change(self, key_id: str, decide: Callable[[Key], Key]) -> Key | None:
        """Change a key, whoever else changes it; None when it is not there. `decide` must be pure."""
        while True:
            known, place = await self._last(key_id)
            if known is None or known.deleted:
                return None
            changed = decide(known)
            with suppress(KeyWrongLastSequenceError):
                await self._write(changed, place)
                return changed

    async def _last(self, key_id: str) -> tuple[Key | None, int]:
        js: JetStreamContext = self.bus.jetstream
        try:
            message = await js.get_msg(KEYS_STREAM, subject=f"{KEYS_PREFIX}.{key_id}")
        except NotFoundError:
            # Not stated yet: the file may hold it.
            return self.keyring.get(key_id), 0
        return Key.model_validate_json(message.data or b""), message.seq or 0

    async def _write(self, key: Key, place: int) -> None:
        js: JetStreamContext = self.bus.jetstream
        try:
            await js.publish(
                f"{KEYS_PREFIX}.{key.id}",
                key.model_dump_json(exclude_defaults=True).encode(),
                timeout=PUBLISH_TIMEOUT_S,
                stream=KEYS_STREAM,
                headers={"Nats-Expected-Last-Subject-Sequence": str(place)},
            )
        except Exception as error:
            if getattr(error, "err_code", None) == _WRONG_LAST_SEQUENCE:
                raise KeyWrongLastSequenceError from None
            raise
        self.keyring.learn([key])

    def _learn(self, message: RawStreamMsg) -> None:
        self._read = message.seq or self._read + 1
        self.keyring.learn([Key.model_validate_json(message.data or b"")])
