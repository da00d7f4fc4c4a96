"""Usage is written by a timer and by whoever asks for it, at the same time."""

import asyncio
import time
from typing import Any, cast

import pytest

from services.gateway.access.domain.limits import Tally
from services.gateway.access.domain.usage import Usage
from services.gateway.access.service.usage_ledger import UsageLedger
from shared.security import Key
from shared.store import Collection, MemoryStore

KEY = Key(id="key_1", name="k", sha256="", scopes=("infer",), created_at=0)
DAY_S = 86_400.0
BEFORE_MIDNIGHT = (time.time() // DAY_S) * DAY_S - 2


class GatedRows:
    """The collection of usage, whose first write waits."""

    def __init__(self, rows: Collection[Usage]) -> None:
        self.rows, self.writing, self.gate = rows, asyncio.Event(), asyncio.Event()

    async def put(self, row: Usage) -> None:
        self.writing.set()
        await self.gate.wait()
        await self.rows.put(row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rows, name)


@pytest.fixture
async def rows() -> GatedRows:
    return GatedRows(MemoryStore("gateway").collection("usage", Usage))


@pytest.fixture
async def ledger(rows: GatedRows) -> UsageLedger:
    """It counted three answers before midnight; now it is after midnight."""
    clock = [BEFORE_MIDNIGHT]
    tallies = MemoryStore("gateway").collection("tallies", Tally)
    ledger = UsageLedger(tallies, cast(Any, rows), flush_s=1, now=lambda: clock[0])
    for version in ("v1", "v2", "v3"):
        (await ledger.admit(KEY, 10)).end(version, 5, 5)
    clock[0] += 4
    return ledger


async def test_usage_that_is_asked_for_while_yesterdays_is_written_is_complete(
    ledger: UsageLedger, rows: GatedRows
) -> None:
    timer = asyncio.create_task(ledger.write_usage())
    await rows.writing.wait()
    asked = asyncio.create_task(ledger.usage(None, None, None, ()))
    # Until it waits for the write, or is answered.
    for _ in range(10):
        await asyncio.sleep(0)
    rows.gate.set()
    await timer
    assert [found["version"] for found in await asked] == ["v1", "v2", "v3"]
    assert ledger.rows == {}, "yesterday's sums are forgotten once they are written"


async def test_usage_whose_write_is_cancelled_is_written_by_the_next(ledger: UsageLedger, rows: GatedRows) -> None:
    left = asyncio.create_task(ledger.write_usage())
    await rows.writing.wait()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    rows.gate.set()
    await ledger.write_usage()
    assert len(await rows.find()) == 3
