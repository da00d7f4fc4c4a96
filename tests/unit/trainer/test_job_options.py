"""What a new job can name, whatever the order of the events."""

from services.trainer.domain.rows.dataset_check import DatasetCheck
from services.trainer.service.job_options import JobOptions
from services.trainer.service.run_store import RunStore
from shared.events import (
    Artifact,
    DatasetReady,
    DatasetUploaded,
    FileDeleted,
    PolicyPublished,
    Split,
    Splits,
    SuiteDeleted,
    SuitePublished,
)
from shared.security import Key
from shared.store import MemoryStore

ARTIFACT = Artifact(uri="file:///a", sha256="a" * 64, bytes=100)
ANA = Key(id="ana", name="Ana", sha256="", scopes=("train",), created_at=0)


def options() -> JobOptions:
    return JobOptions(RunStore.of(MemoryStore("trainer")))


def suite(name: str, revision: int, owner: str = "") -> SuitePublished:
    return SuitePublished(name=name, revision=revision, content=ARTIFACT, owner=owner, at=1)


async def upload(known: JobOptions, file_id: str, owner: str, **facts: object) -> None:
    split = Split(artifact=ARTIFACT, rows=2)
    splits = Splits(train=split, validation=split, test=split)
    ready = DatasetReady.model_validate({"file_id": file_id, "rows": 6, "splits": splits, "owner": owner, **facts})
    await known.store.datasets.create(DatasetCheck(id=file_id, ready=ready))
    await known.uploaded(DatasetUploaded(file_id=file_id, filename=f"{file_id}.csv", artifact=ARTIFACT, owner=owner))


async def test_a_suite_that_was_deleted_comes_back_with_a_later_revision_only() -> None:
    known = options()
    await known.deleted(SuiteDeleted(name="shop", revision=2, author="ana", at=2))
    await known.published(suite("shop", 1))
    await known.published(suite("shop", 2))
    assert await known.names("suite", ANA) == []
    await known.published(suite("shop", 3))
    assert await known.names("suite", ANA) == ["shop"]


async def test_only_what_is_shipped_or_ones_own_is_offered() -> None:
    known = options()
    for name, owner in (("general", ""), ("mine", "ana"), ("theirs", "bob")):
        await known.published(suite(name, 1, owner))
    await known.published(PolicyPublished(name="hybrid", revision=1, content=ARTIFACT, at=1))
    assert await known.names("suite", ANA) == ["general", "mine"]
    assert await known.names("policy", ANA) == ["hybrid"]


async def test_deleted_files_preferences_and_files_of_others_are_not_offered() -> None:
    known = options()
    await known.file_deleted(FileDeleted(file_id="gone", owner="ana", author="ana", at=1))
    for file_id, owner in (("mine", "ana"), ("gone", "ana"), ("theirs", "bob")):
        await upload(known, file_id, owner)
    await upload(known, "pairs", "ana", kind="preference")
    assert [dataset.name for dataset in await known.datasets(ANA)] == ["mine.csv"]
