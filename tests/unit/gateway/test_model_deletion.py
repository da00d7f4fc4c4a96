"""Which fine-tuned models can be deleted, and what the refusals say."""

import asyncio

import pytest

from services.gateway.common.domain.errors import ApiError, BadRequest, Conflict, Missing, NotPermitted
from services.gateway.inference.domain.traffic_split import AliasSplit, SplitRevision, TrafficSplit
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.serving.domain.deployment import Deployment
from services.gateway.serving.domain.fleet import Fleet
from services.gateway.serving.domain.lineage import RollbackPin
from services.gateway.serving.service.directory import Directory
from services.gateway.serving.service.model_deletion import ModelDeletion
from shared.security import Key
from shared.store.memory import MemoryStore
from tests.gateway import BASE, candidate

OWNER = Key(id="key_1", name="owner", sha256="", scopes=("train",), created_at=0)
OTHER = OWNER.model_copy(update={"id": "key_2"})


def deployment(n: int, suffix: str | None = "address") -> Deployment:
    made = candidate(f"job-{n}", suffix=suffix).model_copy(update={"owner": OWNER.id})
    return Deployment(id=f"job-{n}", at=float(n), candidate=made, status="deployed")


async def deletion(*deployments: Deployment) -> ModelDeletion:
    store, fleet = MemoryStore("gateway"), Fleet({BASE: ["http://127.0.0.1:9"]})
    stored, pins = store.collection("deployments", Deployment, stamped=True), store.collection("aliases", RollbackPin)
    splits = SplitPlans(splits=store.collection("routes", AliasSplit))
    directory = Directory(deployments=stored, stored_pins=pins, splits=splits, fleet=fleet, keep=3)
    for made in deployments:
        await stored.create(made)
    await directory.refresh()
    return ModelDeletion(
        views=stored, pins=pins, splits=splits, directory=directory, fleet=fleet, changed=asyncio.Event()
    )


async def refusal(models: ModelDeletion, name: str, key: Key = OWNER) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await models.delete(name, key)
    return refused.value


async def test_an_old_version_is_deleted_and_no_engine_needs_it_any_more() -> None:
    old, new = deployment(1), deployment(2)
    models = await deletion(old, new)
    await models.delete(old.model, OWNER)
    assert models.directory.catalog.find(old.model) is None
    assert models.directory.catalog.find(new.model) is not None
    assert [wanted.id for wanted in await models.directory.refresh()] == [new.id]
    assert models.changed.is_set()
    assert isinstance(await refusal(models, old.model), Missing)


async def test_a_model_without_a_stable_name_is_deleted() -> None:
    models = await deletion(only := deployment(1, suffix=None))
    await models.delete(only.model, OWNER)
    assert await models.directory.refresh() == []


async def test_the_model_that_a_stable_name_means_is_kept_with_advice() -> None:
    old, new = deployment(1), deployment(2)
    models = await deletion(old, new)
    found = await refusal(models, new.model)
    assert isinstance(found, Conflict)
    assert "POST /v1/models/address/rollback" in found.message
    await models.pins.create(RollbackPin(id="address", at=9.0, version=old.candidate.version, beyond=2.0))
    assert isinstance(await refusal(models, old.model), Conflict)
    await models.delete(new.model, OWNER)


async def test_a_version_of_a_traffic_split_is_kept_with_advice() -> None:
    old, new = deployment(1), deployment(2)
    models = await deletion(old, new)
    routing = TrafficSplit.model_validate({"split": [{"version": old.candidate.version, "weight": 1}]})
    split = AliasSplit(id="address", now=SplitRevision(number=1, at=0.0, by="", routing=routing))
    assert isinstance(models.splits, SplitPlans)
    await models.splits.splits.create(split)
    found = await refusal(models, old.model)
    assert isinstance(found, Conflict)
    assert "/v1/models/address/routing" in found.message


async def test_base_models_stable_names_and_models_of_other_keys_are_refused() -> None:
    old, new = deployment(1), deployment(2)
    models = await deletion(old, new)
    assert isinstance(await refusal(models, BASE), NotPermitted)
    assert isinstance(await refusal(models, "address"), BadRequest)
    assert isinstance(await refusal(models, old.model, OTHER), NotPermitted)
    assert isinstance(await refusal(models, "gpt-0"), Missing)
    await models.delete(old.model, OTHER.model_copy(update={"scopes": ("admin",)}))
