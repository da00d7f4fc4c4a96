"""`DELETE /v1/models/{id}` by the official SDK, without an engine."""

from collections.abc import AsyncIterator

import openai
import pytest

from services.gateway.serving.domain.deployment import Deployment
from shared.settings import CommonSettings
from shared.store import Store
from tests.gateway import BASE, Gateway, candidate, running
from tests.ports import free_port


@pytest.fixture
async def gateway(bus_settings: CommonSettings) -> AsyncIterator[Gateway]:
    """A gateway over a database in which two versions of one stable name were deployed."""
    store = Store(bus_settings.mongo_url, f"{bus_settings.database_prefix}gateway", "gateway")
    for n in range(2):
        made = Deployment(id=f"job-{n}", at=float(n), candidate=candidate(f"job-{n}"), status="deployed", told=True)
        await store.collection("deployments", Deployment, stamped=True).create(made)
    async with running(bus_settings, [f"http://127.0.0.1:{free_port()}"]) as gateway:
        yield gateway
    store.close()


async def test_the_sdk_deletes_a_model_that_is_not_in_use(gateway) -> None:
    sdk, stranger = gateway.sdk("admin"), gateway.sdk("train", "infer")
    old, new = [candidate(f"job-{n}").model_name.removesuffix(":ckpt-step-20") for n in range(2)]
    with pytest.raises(openai.ConflictError, match="means"):
        await sdk.models.delete(new)
    with pytest.raises(openai.PermissionDeniedError, match="another person"):
        await stranger.models.delete(old)
    with pytest.raises(openai.PermissionDeniedError, match="base model"):
        await sdk.models.delete(BASE)
    deleted = await sdk.models.delete(old)
    assert (deleted.id, deleted.object, deleted.deleted) == (old, "model", True)
    assert old not in [model.id async for model in sdk.models.list()]
    for call in (sdk.models.retrieve(old), sdk.models.delete(old)):
        with pytest.raises(openai.NotFoundError):
            await call
    assert (await sdk.models.retrieve("address")).id == "address"
