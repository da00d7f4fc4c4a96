"""Permissions to call a checkpoint, given and taken back at the same moment."""

from typing import Any

from services.gateway.fine_tuning.domain.checkpoint import Checkpoint
from services.gateway.fine_tuning.domain.checkpoint_permission import CheckpointPermission
from services.gateway.fine_tuning.domain.job import Job
from services.gateway.fine_tuning.service.checkpoint_permissions import CheckpointPermissions
from shared.security import Key
from shared.store import MemoryStore
from tests.gateway import candidate

OWNER = Key(id="key_owner", name="owner", sha256="", scopes=("train",), created_at=0)
MADE = candidate("a").model_copy(update={"owner": OWNER.id})


async def test_the_permission_that_is_written_last_has_the_latest_time(monkeypatch) -> None:
    store = MemoryStore("gateway")
    views, checkpoints = store.collection("permissions", CheckpointPermission), store.collection("c", Checkpoint)
    permissions = CheckpointPermissions(views=views, checkpoints=checkpoints, jobs=store.collection("jobs", Job))
    known = {"job_id": MADE.job_id, "step": MADE.step, "model_name": MADE.model_name}
    await checkpoints.create(Checkpoint.model_validate({"id": "c", "candidate": MADE, "saved": True, **known}))
    [given] = await permissions.give(MADE.model_name, ["key_other"], OWNER)
    change = views.change

    async def after_another_gift(*arguments: Any) -> CheckpointPermission | None:
        monkeypatch.undo()
        await permissions.give(MADE.model_name, ["key_other"], OWNER)
        return await change(*arguments)

    monkeypatch.setattr(views, "change", after_another_gift)
    await permissions.take(MADE.model_name, given.id, OWNER)
    [[_, _, events]] = await store.unsent_events()
    assert [event.data["removed"] for event in events] == [False, False, True]
    # A rebuilt gateway and its replicas keep the change with the latest time.
    assert [event.data["at"] for event in events] == sorted({event.data["at"] for event in events})
