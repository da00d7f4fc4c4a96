"""Leases."""

import asyncio
from typing import NoReturn

import pytest
from pydantic import BaseModel

from shared.lease import Lease, LeaseLost, while_leased
from shared.store import MemoryStore


class Task(BaseModel):
    id: str
    lease: Lease = Lease()


def test_a_free_lease_is_claimed_and_a_valid_one_is_not() -> None:
    first = Lease().claim("a", now=100, lease_s=10)
    assert first == Lease(holder="a", expires_at=110, attempt=1)
    assert first.claim("b", now=109, lease_s=10) is None
    assert first.claim("b", now=110, lease_s=10) == Lease(holder="b", expires_at=120, attempt=2)


def test_the_holder_extends_its_lease_within_the_same_attempt() -> None:
    first = Lease(holder="a", expires_at=110, attempt=1)
    assert first.claim("a", now=105, lease_s=10) == Lease(holder="a", expires_at=115, attempt=1)
    assert first.renew("a", now=111, lease_s=10) == Lease(holder="a", expires_at=121, attempt=1)


def test_a_holder_that_comes_back_after_its_lease_expired_starts_a_new_attempt() -> None:
    claimed = Lease(holder="a", expires_at=110, attempt=1).claim("a", now=110, lease_s=10)
    assert claimed is not None
    assert claimed.attempt == 2


def test_only_the_holder_renews_and_releases() -> None:
    lease = Lease(holder="b", expires_at=120, attempt=2)
    with pytest.raises(LeaseLost, match="held by b, not by a"):
        lease.renew("a", now=100, lease_s=10)
    assert lease.release("a") == lease
    released = lease.release("b")
    assert released.is_free(0)
    assert released.attempt == 2


async def test_of_many_that_claim_at_once_one_gets_the_lease() -> None:
    tasks = MemoryStore("test").collection("tasks", Task)
    await tasks.create(Task(id="t"))

    async def claim(holder: str) -> bool:
        def decide(task: Task) -> tuple[Task, tuple[()]] | None:
            lease = task.lease.claim(holder, now=0, lease_s=10)
            return None if lease is None else (task.model_copy(update={"lease": lease}), ())

        changed = await tasks.change("t", decide)
        return changed is not None and changed.lease.holder == holder

    assert sum(await asyncio.gather(*(claim(str(n)) for n in range(20)))) == 1


async def test_work_is_done_while_the_lease_is_renewed() -> None:
    renewals: list[None] = []

    async def renew() -> None:
        renewals.append(None)

    async def work() -> str:
        await asyncio.sleep(0.25)
        return "done"

    assert await while_leased(work(), renew, lease_s=0.15) == "done"
    assert 3 <= len(renewals) <= 5


async def test_an_error_of_the_work_is_raised() -> None:
    async def renew() -> None: ...

    async def work() -> NoReturn:
        raise ValueError("bad rows")

    with pytest.raises(ValueError, match="bad rows"):
        await while_leased(work(), renew, lease_s=1)


async def test_work_is_cancelled_when_another_process_has_the_lease() -> None:
    cancelled = False

    async def renew() -> NoReturn:
        raise LeaseLost("taken")

    async def work() -> None:
        nonlocal cancelled
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled = True
            raise

    with pytest.raises(LeaseLost, match="taken"):
        await while_leased(work(), renew, lease_s=0.03)
    assert cancelled


async def test_one_failed_renewal_does_not_end_the_work() -> None:
    attempts: list[None] = []

    async def renew() -> None:
        attempts.append(None)
        if len(attempts) == 1:
            raise ConnectionError("the database is away")

    async def work() -> str:
        await asyncio.sleep(0.4)
        return "done"

    assert await while_leased(work(), renew, lease_s=0.3) == "done"


async def test_work_is_cancelled_before_a_lease_that_cannot_be_renewed_expires() -> None:
    async def renew() -> NoReturn:
        raise ConnectionError("the database is away")

    loop = asyncio.get_running_loop()
    began_at = loop.time()
    with pytest.raises(LeaseLost, match="could not be renewed"):
        await while_leased(asyncio.sleep(10), renew, lease_s=0.6)
    assert loop.time() - began_at < 0.6 + 0.2


async def test_cancelling_the_caller_cancels_the_work() -> None:
    ended = asyncio.Event()

    async def renew() -> None: ...

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.set()

    task = asyncio.create_task(while_leased(work(), renew, lease_s=1))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
