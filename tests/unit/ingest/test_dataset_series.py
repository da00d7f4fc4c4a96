"""Versions of a series of datasets that are checked by two processes at once."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.ingest.domain.dataset import Dataset
from services.ingest.ports import PreparationRequest, PreparationResult
from services.ingest.report import Report
from shared.events import Artifact, FileDeleted, Splits
from tests.ingest import Ingest

SERIES = "shop"


class Preparer:
    """Accepts every file but `bad`; `compared` are the indexes that files were compared with.

    While it prepares the first file after `others` were added, these happen completely.
    """

    def __init__(self) -> None:
        self.others: list[Callable[[], Awaitable[object]]] = []
        self.compared: list[Artifact | None] = []

    async def prepare(self, request: PreparationRequest) -> PreparationResult:
        self.compared.append(request.earlier)
        while self.others:
            await self.others.pop()()
        upload = request.upload
        if upload.file_id == "bad":
            return PreparationResult(report=Report())
        splits = {name: {"artifact": upload.artifact, "rows": 3} for name in ("train", "validation", "test")}
        report = Report(kind="chat", index=upload.artifact)
        return PreparationResult(report=report, splits=Splits.model_validate(splits), version="v")


@pytest.fixture
def preparer() -> Preparer:
    return Preparer()


@pytest.fixture
def ingest(tmp_path: Path, preparer: Preparer) -> Ingest:
    return Ingest(tmp_path, preparer)


@pytest.fixture
def replica(tmp_path: Path, ingest: Ingest) -> Ingest:
    return Ingest(tmp_path, Preparer(), ingest.store)


async def checked(service: Ingest, file_id: str) -> Dataset:
    return await service.checked(file_id, file_id.encode(), dataset=SERIES)


async def versions(service: Ingest) -> dict[str, tuple[int, str | None]]:
    """Number and previous version by file."""
    return {each.id: (each.number, each.previous) for each in await service.datasets.newest(9, None, SERIES)}


async def test_two_files_that_are_checked_at_once_are_two_versions_of_their_series(ingest, replica, preparer) -> None:
    await checked(ingest, "f1")
    preparer.others.append(lambda: checked(replica, "f2"))
    await checked(ingest, "f3")
    assert await versions(ingest) == {"f1": (1, None), "f2": (2, "f1"), "f3": (3, "f2")}
    # It is compared with the version before it, though that came while it was compared with an older one.
    assert [each and ingest.artifacts.read(each) for each in preparer.compared] == [None, b"f1", b"f2"]


async def test_the_first_two_files_of_a_series_that_are_checked_at_once_are_two_versions(
    ingest, replica, preparer
) -> None:
    preparer.others.append(lambda: checked(replica, "f1"))
    await checked(ingest, "f2")
    assert await versions(ingest) == {"f1": (1, None), "f2": (2, "f1")}


async def test_a_refused_file_takes_no_number_from_the_next_version(ingest, replica, preparer) -> None:
    await checked(ingest, "f1")
    preparer.others.append(lambda: checked(replica, "bad"))
    await checked(ingest, "f2")
    assert (await checked(ingest, "f3")).number == 3
    assert (await versions(ingest))["f2"] == (2, "f1")


async def test_the_same_file_that_is_checked_twice_at_once_is_one_version(ingest, replica, preparer) -> None:
    await checked(ingest, "f1")
    preparer.others.append(lambda: checked(replica, "f2"))
    await checked(ingest, "f2")
    assert await versions(ingest) == {"f1": (1, None), "f2": (2, "f1")}
    assert (await checked(ingest, "f3")).number == 3


async def test_a_number_that_was_taken_for_a_check_that_did_not_end_is_left_out(ingest, preparer) -> None:
    await checked(ingest, "f1")
    killed = ingest.upload("killed", b"killed", dataset=SERIES)
    assert await ingest.datasets.series.claim(killed, await ingest.datasets.get("f1"), if_newest=True) == 2
    assert (await checked(ingest, "f2")).number == 3
    # The killed check is repeated.
    assert (await checked(ingest, "killed")).number == 4


async def test_the_check_that_took_a_number_before_it_was_killed_keeps_it(ingest) -> None:
    await checked(ingest, "f1")
    killed = ingest.upload("killed", b"killed", dataset=SERIES)
    assert await ingest.datasets.series.claim(killed, await ingest.datasets.get("f1"), if_newest=True) == 2
    assert (await checked(ingest, "killed")).number == 2


async def test_the_number_of_a_deleted_version_is_free_again(ingest, replica, preparer) -> None:
    for name in ("f1", "bad", "f2"):
        await checked(ingest, name)
    # A refused file has no number of its own, so that its deletion frees none.
    await ingest.datasets.delete("bad")
    assert (await checked(ingest, "f3")).number == 3
    await ingest.datasets.delete("f3")
    assert (await checked(ingest, "f4")).number == 3


async def test_a_file_that_is_deleted_during_its_check_frees_its_number(ingest, preparer) -> None:
    await checked(ingest, "f1")
    gone = FileDeleted(file_id="f2", owner="key_1", author="key_1", at=1.0)
    preparer.others.append(lambda: ingest.datasets.file_deleted(gone))
    await ingest.datasets.check(ingest.upload("f2", b"f2", dataset=SERIES))
    assert await ingest.datasets.get("f2") is None
    assert (await checked(ingest, "f3")).number == 2


async def test_other_owners_and_series_have_numbers_of_their_own(ingest) -> None:
    await checked(ingest, "f1")
    assert (await ingest.checked("f2", b"f2", dataset=SERIES, owner="key_2")).number == 1
    assert (await ingest.checked("f3", b"f3", dataset="other")).number == 1
    assert (await ingest.checked("f4", b"f4")).number == 1
    assert (await ingest.checked("f5", b"f5")).number == 1


async def test_a_slow_check_ends_although_its_series_gets_newer_versions_all_the_time(
    ingest: Ingest, replica: Ingest, preparer: Preparer
) -> None:
    async def add(number: int) -> None:
        await checked(replica, f"small-{number}")
        if number < 9:
            preparer.others.append(lambda: add(number + 1))

    prepare = preparer.prepare

    async def one_more_each_time(request: PreparationRequest) -> PreparationResult:
        now, preparer.others = preparer.others, []
        result = await prepare(request)
        for other in now:
            await other()
        return result

    preparer.prepare = one_more_each_time  # type: ignore[method-assign]
    preparer.others.append(lambda: add(1))
    large = await checked(ingest, "large")
    found = await versions(ingest)
    assert len(preparer.compared) == 3
    assert large.number == 4
    assert sorted(number for number, _previous in found.values()) == [1, 2, 3, 4]
