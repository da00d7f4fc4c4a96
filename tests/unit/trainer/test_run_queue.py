"""The order in which runs are claimed."""

import random

from services.trainer.service.run_lease import RunLease
from tests.unit.trainer.in_memory import Service


async def claim(service: Service) -> RunLease:
    lease = await service.queue.claim()
    assert lease is not None
    return lease


async def test_jobs_of_the_same_second_are_claimed_in_the_order_of_their_requests() -> None:
    service = Service()
    await service.add_dataset("file")
    jobs = [(f"ftjob-{random.Random(n).getrandbits(32):x}", 1_000_000.1 + n / 10) for n in range(5)]
    # The events may arrive in another order.
    for job_id, requested_at in random.Random(3).sample(jobs, len(jobs)):
        await service.request(job_id, requested_at)
    claimed = [(await claim(service)).run for _ in jobs]
    assert [run.id for run in claimed] == [job_id for job_id, _ in jobs]
    assert {run.created_at for run in claimed} == {1_000_000}
    assert await service.queue.claim() is None


async def test_a_job_with_a_higher_priority_is_claimed_first() -> None:
    service = Service()
    await service.add_dataset("file")
    await service.request("first", 1.1)
    await service.request("urgent", 1.2, priority=1)
    assert (await claim(service)).run.id == "urgent"


async def test_a_job_of_a_trainer_that_released_it_is_claimed_again() -> None:
    service = Service()
    await service.add_dataset("file")
    await service.request("job", 1.1)
    lease = await claim(service)
    assert await service.queue.claim() is None
    await lease.release()
    assert (await claim(service)).run.attempt == 2
