"""The span of a rollout: one for each version, by the gateway that finished it."""

import asyncio
from typing import Any, cast

from services.gateway.fine_tuning.domain.job import Job
from services.gateway.serving.domain.deployment import MAX_REFUSALS, Deployment
from services.gateway.serving.ports import EngineError
from services.gateway.serving.service.deployments import Deployments
from shared.store import MemoryStore
from tests.gateway import candidate
from tests.spans import id_of, kept_spans, parent_of, trace_of

APPROVAL = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class NoLog:
    """The events of jobs are not looked at here."""

    async def append(self, *_: Any) -> None: ...


class Projection:
    log = NoLog()


async def deployments_with(deployment: Deployment) -> tuple[MemoryStore, Deployments]:
    store = MemoryStore("gateway")
    made = Deployments(
        views=store.collection("deployments", Deployment),
        jobs=store.collection("jobs", Job),
        projection=cast(Any, Projection()),
        loader=cast(Any, None),
        changed=asyncio.Event(),
    )
    await made.views.create(deployment)
    return store, made


def pending(**state: Any) -> Deployment:
    return Deployment(id="ftjob-1", at=1000.0, candidate=candidate("ftjob-1"), traceparent=APPROVAL, **state)


async def test_a_rollout_lasts_from_the_approval_and_is_the_cause_of_model_deployed() -> None:
    store, deployments = await deployments_with(pending())
    with kept_spans() as spans:
        await deployments.finish(pending(), 2, {})
        rollout = spans.one("rollout")
    assert (trace_of(rollout), parent_of(rollout)) == (APPROVAL[3:35], "b7ad6b7169203331")
    assert rollout.start_time == 1000 * 10**9
    assert (rollout.attributes or {})["assay.replicas"] == 2
    traceparent = f"00-{trace_of(rollout)}-{id_of(rollout)}-01"
    [(_, _, [event])] = await store.unsent_events()
    assert event.traceparent == traceparent
    known = await deployments.views.get("ftjob-1")
    assert known is not None
    assert known.rollout == traceparent


async def test_a_second_gateway_that_finishes_the_same_rollout_reports_no_span() -> None:
    _, deployments = await deployments_with(pending())
    with kept_spans() as spans:
        for _ in range(2):
            await deployments.finish(pending(), 2, {})
        assert spans.names == ["rollout"]


async def test_a_rollout_that_is_given_up_is_marked_as_failed() -> None:
    tried = pending(attempts=MAX_REFUSALS - 1, refusals=MAX_REFUSALS - 1)
    _, deployments = await deployments_with(tried)
    with kept_spans() as spans:
        await deployments.fail(tried, {"http://10.0.0.5:8000": EngineError("no room")}, "refused")
        rollout = spans.one("rollout")
    assert rollout.status.description == "http://10.0.0.5:8000: no room"
    assert (rollout.attributes or {})["assay.attempts"] == MAX_REFUSALS


async def test_without_an_exporter_model_deployed_belongs_to_the_trace_of_the_approval() -> None:
    store, deployments = await deployments_with(pending())
    await deployments.finish(pending(), 2, {})
    [(_, _, [event])] = await store.unsent_events()
    assert event.traceparent == APPROVAL
