"""A file is deleted while another with the same content is uploaded."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.events import Artifact, DatasetRejected
from tests.fine_tuning_app import FineTuningApp, fine_tuning_app
from tests.gateway import rows
from tests.unit.gateway.test_uploads import announced, stored

CONTENT = rows(3)


@pytest.fixture
def app(tmp_path: Path) -> FineTuningApp:
    return fine_tuning_app(tmp_path)


async def unused(app: FineTuningApp) -> tuple[str, Artifact]:
    """A deleted file whose content is removed as soon as ingest has refused it."""
    sdk = app.sdk("train")
    file = await sdk.files.create(file=("a", CONTENT), purpose="fine-tune")
    await sdk.files.delete(file.id)
    return file.id, (await announced(app, file.id)).artifact


async def refused(app: FineTuningApp, file_id: str) -> None:
    event = DatasetRejected(file_id=file_id, rows=1, bad_rows=1, errors=())
    await app.part.file_use_cases.rejected(event)


def within_look(app: FineTuningApp, number: int, act: Callable[[], Awaitable[Any]]) -> None:
    """Act within a look for references, after the files and before what else may refer to the content."""
    references = app.part.artifacts
    split_owners, looks = references._split_owners, []

    async def acting(sha256: str) -> set[str]:
        looks.append(sha256)
        if len(looks) == number:
            await act()
        return await split_owners(sha256)

    object.__setattr__(references, "_split_owners", acting)


@pytest.mark.parametrize("look", [1, 2])
async def test_a_file_that_is_uploaded_while_equal_content_is_deleted_can_be_read(app, look: int) -> None:
    deleted, artifact = await unused(app)
    sdk, made = app.sdk("train"), []

    async def upload() -> None:
        made.append(await sdk.files.create(file=("b", CONTENT), purpose="fine-tune"))

    within_look(app, look, upload)
    await refused(app, deleted)
    assert stored(app, artifact)
    assert (await sdk.files.content(made[0].id)).content == CONTENT


@pytest.mark.parametrize("error", [ConnectionError, asyncio.CancelledError])
async def test_content_stays_if_it_cannot_be_known_whether_it_is_needed(app, error: type[BaseException]) -> None:
    deleted, artifact = await unused(app)

    async def fail() -> None:
        raise error

    within_look(app, 2, fail)
    with pytest.raises(error):
        await refused(app, deleted)
    assert names(artifact) == [artifact.sha256]


async def test_content_that_nothing_needs_is_deleted_without_a_trace(app) -> None:
    deleted, artifact = await unused(app)
    await refused(app, deleted)
    assert names(artifact) == []


def names(artifact: Artifact) -> list[str]:
    return os.listdir(Path(artifact.uri.removeprefix("file://")).parent)
