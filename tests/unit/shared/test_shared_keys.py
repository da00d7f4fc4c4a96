"""Shared keys are read until the newest revision was seen, which a replica of the bucket may not have at first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nats.js.kv import KeyValue

from shared.keys import SharedKeys
from shared.security import Key, Keyring, new_key


def entry(revision: int, key: Key) -> KeyValue.Entry:
    return KeyValue.Entry("ASSAY_KEYS", key.id, key.model_dump_json().encode(), revision, None, None, None)


@dataclass
class Bucket:
    """A bucket whose leader has all entries, and whose replica has those up to `replicated`."""

    entries: Sequence[KeyValue.Entry] = ()
    replicated: int = 0
    watches: int = 0
    unread: list[KeyValue.Entry | None] = field(default_factory=list[KeyValue.Entry | None])

    async def key_value(self, _name: str) -> "Bucket":
        return self

    async def status(self) -> Any:
        last = max((each.revision or 0 for each in self.entries), default=0)
        return SimpleNamespace(stream_info=SimpleNamespace(state=SimpleNamespace(last_seq=last, messages=last)))

    async def watchall(self) -> "Bucket":
        self.watches += 1
        self.unread = [each for each in self.entries if (each.revision or 0) <= self.replicated]
        return self

    async def updates(self) -> KeyValue.Entry | None:
        return self.unread.pop(0) if self.unread else None

    async def stop(self) -> None:
        self.unread.clear()


def known(keys: SharedKeys) -> list[str]:
    found = keys.keyring.keys()
    return [key.name for key in found]


async def test_a_key_that_the_replica_did_not_have_yet_is_read_the_next_time(tmp_path: Path) -> None:
    first, second = new_key("first", ("infer",))[0], new_key("second", ("infer",))[0]
    bucket = Bucket([entry(1, first), entry(2, second)], replicated=1)
    bus: Any = SimpleNamespace(jetstream=bucket)
    keys = SharedKeys(bus, Keyring(tmp_path / "keys.json"))
    await keys.catch_up()
    assert known(keys) == ["first"]
    bucket.replicated = 2
    await keys.catch_up()
    assert known(keys) == ["first", "second"]
    await keys.catch_up()
    assert bucket.watches == 2, "an unchanged bucket is not read again"


async def test_an_empty_bucket_is_not_read(tmp_path: Path) -> None:
    bucket = Bucket()
    bus: Any = SimpleNamespace(jetstream=bucket)
    await SharedKeys(bus, Keyring(tmp_path / "keys.json")).catch_up()
    assert bucket.watches == 0
