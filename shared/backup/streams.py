"""JetStream's streams with their consumers, saved and restored by the server's own snapshots.

Sequences, times and what each consumer has handled stay as they are. The files of a stream are `backup.json` and
`stream.tar.s2`, as the `nats` command line tool names them.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from shared.backup.contents import BackupError
from shared.consumers import CONSUMERS, EVENTS_STREAM, PROGRESS_STREAM
from shared.topology import DEAD_STREAM, KEYS_STREAM

# Sessions are left out: a restored backup must not sign in somebody who has signed out since.
SAVED_STREAMS = (EVENTS_STREAM, PROGRESS_STREAM, DEAD_STREAM, KEYS_STREAM)
STOP_S = 10.0
"""A fetch of a service that has just stopped still waits for some seconds."""
_CHUNK_BYTES = 128 * 1024
_TIMEOUT_S = 30.0
_NO_CONTENT = "204"


@dataclass(frozen=True)
class Streams:
    """The streams of one NATS server or cluster."""

    client: Client

    async def readers(self) -> list[str]:
        """The consumers from which a service is fetching now."""
        js, busy = self.client.jetstream(timeout=_TIMEOUT_S), list[str]()
        for consumer in CONSUMERS:
            try:
                info = await js.consumer_info(consumer.stream, consumer.name)
            except NotFoundError:
                continue
            if info.num_waiting:
                busy.append(consumer.name)
        return busy

    async def check_stopped(self) -> None:
        """Raise `BackupError` while a service is running."""
        deadline = time.monotonic() + STOP_S
        while readers := await self.readers():
            if time.monotonic() > deadline:
                raise BackupError(
                    "services are running, and would change what is copied: stop all of them. "
                    f"Consumers in use: {', '.join(readers)}"
                )
            await asyncio.sleep(0.5)

    async def check_missing(self) -> None:
        """Raise `BackupError` if one of the streams exists."""
        names = {stream.config.name for stream in await self.client.jetstream(timeout=_TIMEOUT_S).streams_info()}
        if found := [name for name in SAVED_STREAMS if name in names]:
            raise BackupError(f"NATS has these streams already: {', '.join(found)}. Restore into an empty server.")

    async def save(self, folder: Path) -> dict[str, int]:
        """The number of messages saved, by stream."""
        return {name: await self._save_one(name, folder / name) for name in SAVED_STREAMS}

    async def _save_one(self, name: str, folder: Path) -> int:
        folder.mkdir(parents=True)
        inbox = self.client.new_inbox()
        chunks = await self.client.subscribe(inbox)
        try:
            asked = {"deliver_subject": inbox, "chunk_size": _CHUNK_BYTES, "jsck": True}
            snapshot = await self._request(f"$JS.API.STREAM.SNAPSHOT.{name}", asked)
            with (folder / "stream.tar.s2").open("wb") as file:
                while data := await _chunk(await chunks.next_msg(timeout=_TIMEOUT_S), name):
                    file.write(data)
        finally:
            await chunks.unsubscribe()
        (folder / "backup.json").write_text(json.dumps(snapshot, indent=1))
        return snapshot["state"]["messages"]

    async def restore(self, folder: Path, replicas: int) -> None:
        """Make the streams again, with so many replicas each."""
        for name in SAVED_STREAMS:
            await self._restore_one(name, folder / name, replicas)

    async def _restore_one(self, name: str, folder: Path, replicas: int) -> None:
        snapshot = json.loads((folder / "backup.json").read_text())
        wanted = {"config": {**snapshot["config"], "num_replicas": replicas}, "state": snapshot["state"]}
        restoring = await self._request(f"$JS.API.STREAM.RESTORE.{name}", wanted)
        subject = restoring["deliver_subject"]
        with (folder / "stream.tar.s2").open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                await self._request(subject, chunk)
        made = await self._request(subject, b"")
        if made["state"]["messages"] != snapshot["state"]["messages"]:
            count = snapshot["state"]["messages"]
            raise BackupError(f"{folder}: {made['state']['messages']} of {count} messages of {name} were restored")

    async def _request(self, subject: str, content: bytes | dict[str, Any]) -> dict[str, Any]:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = await self.client.request(subject, payload, timeout=_TIMEOUT_S)
        parsed = json.loads(answer.data or b"{}")
        if error := parsed.get("error"):
            raise BackupError(f"NATS refused {subject}: {error.get('description', error)}")
        return parsed


async def _chunk(message: Msg, stream: str) -> bytes:
    """Acknowledge a piece of a snapshot, for the server sends only some ahead; the empty one is the last."""
    status = (message.headers or {}).get("Status", _NO_CONTENT)
    if status != _NO_CONTENT:
        reason = (message.headers or {}).get("Description", "")
        raise BackupError(f"NATS stopped the snapshot of {stream}: {status} {reason}")
    if message.reply:
        await message.respond(b"")
    return message.data
