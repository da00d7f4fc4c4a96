"""Limits of keys on jobs, files, bytes and posted events, by the official SDK where it has a call."""

from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from services.gateway.access.app import access
from services.gateway.access.domain.limits import Tally
from services.gateway.access.domain.usage import Usage
from services.gateway.access.service.event_rate import EventRate
from services.gateway.access.service.usage_ledger import UsageLedger
from services.gateway.common.app import Resources
from services.gateway.common.domain.errors import RateLimited
from services.gateway.config import Settings
from shared.security import Key
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.fine_tuning_app import FineTuningApp, fine_tuning_app
from tests.gateway import BASE, rows
from tests.quotas import QUOTAS

KEY = Key(id="key_a", name="a", sha256="", scopes=("train",), created_at=0)


def limited(app: FineTuningApp, **limits: Any) -> AsyncOpenAI:
    """The SDK with a key that has these limits."""
    sdk = app.sdk("train")
    key = app.keyring.authenticate(f"Bearer {sdk.api_key}")
    app.keyring.learn([key.model_copy(update=limits)])
    return sdk


async def uploaded(sdk: AsyncOpenAI, count: int = 12) -> str:
    return (await sdk.files.create(file=("a.jsonl", rows(count)), purpose="fine-tune")).id


async def test_a_job_above_the_limit_is_refused_with_the_count_and_the_remedy(tmp_path: Path) -> None:
    sdk = limited(fine_tuning_app(tmp_path), max_open_jobs=2)
    file = await uploaded(sdk)
    jobs = [await sdk.fine_tuning.jobs.create(model=BASE, training_file=file) for _ in range(2)]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        await sdk.fine_tuning.jobs.create(model=BASE, training_file=file)
    assert refused.value.code == "max_open_jobs_reached"
    assert "You have 2 unfinished jobs, and this API key allows 2. Wait until one ends" in refused.value.message

    await sdk.fine_tuning.jobs.cancel(jobs[0].id)
    await sdk.fine_tuning.jobs.create(model=BASE, training_file=file)


async def test_a_repeated_request_for_a_job_is_answered_at_the_limit(tmp_path: Path) -> None:
    sdk = limited(fine_tuning_app(tmp_path), max_open_jobs=1)
    file, header = await uploaded(sdk), {"Idempotency-Key": "again"}
    first = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file, extra_headers=header)
    again = await sdk.fine_tuning.jobs.create(model=BASE, training_file=file, extra_headers=header)
    assert again.id == first.id


async def test_files_are_counted_and_a_deleted_file_makes_room(tmp_path: Path) -> None:
    sdk = limited(fine_tuning_app(tmp_path), max_files=2)
    first, _ = await uploaded(sdk, 12), await uploaded(sdk, 13)
    with pytest.raises(openai.PermissionDeniedError, match="You have 2 files, and this API key allows 2"):
        await uploaded(sdk, 14)
    await sdk.files.delete(first)
    await uploaded(sdk, 14)


async def test_the_bytes_of_files_are_bounded(tmp_path: Path) -> None:
    app, size = fine_tuning_app(tmp_path), len(rows(12))
    sdk = limited(app, max_stored_bytes=2 * size + 1)
    await uploaded(sdk)
    await uploaded(sdk)
    with pytest.raises(
        openai.PermissionDeniedError, match=f"files of {2 * size} bytes. With {size} bytes more"
    ) as refused:
        await uploaded(sdk)
    assert refused.value.code == "max_stored_bytes_reached"


async def test_the_servers_limits_hold_for_keys_without_their_own_and_count_each_person_alone(tmp_path: Path) -> None:
    app = fine_tuning_app(tmp_path, key_files=1)
    one, other, raised = limited(app), limited(app), limited(app, max_files=2)
    for sdk in (one, other, raised):
        await uploaded(sdk)
    with pytest.raises(openai.PermissionDeniedError, match="max_files"):
        await uploaded(one)
    await uploaded(raised)


async def test_an_upload_in_parts_is_refused_at_the_limit(tmp_path: Path) -> None:
    sdk = limited(fine_tuning_app(tmp_path), max_stored_bytes=10)
    with pytest.raises(openai.PermissionDeniedError, match="max_stored_bytes"):
        await sdk.uploads.create(bytes=11, filename="a.jsonl", mime_type="application/jsonl", purpose="fine-tune")


async def test_events_above_the_rate_of_the_key_are_refused_with_the_limit_and_the_wait() -> None:
    store = MemoryStore("gateway")
    ledger = UsageLedger(
        tallies=store.collection("event_tallies", Tally, ["at"], few=True),
        usage_rows=store.collection("usage", Usage, ["day"]),
        flush_s=1,
        now=lambda: 1_000_000.0,
    )
    rate, key = EventRate(ledger, QUOTAS), KEY.model_copy(update={"events_per_minute": 2, "requests_per_minute": 1})
    await rate.admit(key)
    await rate.admit(key)
    with pytest.raises(RateLimited, match="may post 2 events per minute, and has posted as many") as refused:
        await rate.admit(key)
    assert int(refused.value.headers["Retry-After"]) >= 1
    assert not any(name.startswith("x-ratelimit") for name in refused.value.headers), "those are about chat"


def test_counts_of_posted_events_are_removed_after_a_day(tmp_path: Path) -> None:
    common = CommonSettings(keys_file=tmp_path / "keys.json", artifacts=str(tmp_path))
    built = access(Resources.of(Settings(common=common)))
    [found] = [each for each in built.part.retentions if each.documents is built.event_rate.ledger.tallies]
    assert found.days == 1
