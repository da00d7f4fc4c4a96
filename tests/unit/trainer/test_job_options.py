"""What a new job can name, whatever the order of the events."""

from services.review.policies.shipped import shipped_policies
from services.trainer.domain.new_job.job_options import SHIPPED_POLICIES
from services.trainer.domain.rows.dataset_outcome import DatasetOutcome
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
    await known.store.datasets.create(DatasetOutcome(id=file_id, ready=ready))
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
    assert await known.names("policy", ANA) == ["automatic", "guarded", "hybrid"]


async def test_a_policy_that_its_owner_shares_is_offered_to_its_readers() -> None:
    known = options()
    for name, readers in (("for-all", ("*",)), ("for-ana", ("ana",)), ("for-eve", ("eve",)), ("for-none", ())):
        await known.published(
            PolicyPublished(name=name, revision=1, content=ARTIFACT, at=1, owner="bob", readers=readers)
        )
    assert await known.names("policy", ANA) == sorted((*SHIPPED_POLICIES, "for-all", "for-ana"))
    await known.published(PolicyPublished(name="for-all", revision=2, content=ARTIFACT, at=2, owner="bob", readers=()))
    assert "for-all" not in await known.names("policy", ANA)


def test_the_shipped_policies_are_those_of_the_review_service() -> None:
    assert set(SHIPPED_POLICIES) == set(shipped_policies())


async def test_files_are_named_by_what_they_were_called() -> None:
    known = options()
    await upload(known, "mine", "ana")
    assert await known.filenames(["mine", "unknown", "mine"]) == {"mine": "mine.csv"}


async def test_deleted_files_preferences_and_files_of_others_are_not_offered() -> None:
    known = options()
    await known.file_deleted(FileDeleted(file_id="gone", owner="ana", author="ana", at=1))
    for file_id, owner in (("mine", "ana"), ("gone", "ana"), ("theirs", "bob")):
        await upload(known, file_id, owner)
    await upload(known, "pairs", "ana", kind="preference")
    assert [dataset.name for dataset in await known.datasets(ANA)] == ["mine.csv"]
