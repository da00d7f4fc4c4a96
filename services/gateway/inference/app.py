"""Builds the inference part: chat and completions, traffic splits, shadow traffic."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.gateway.access.app import Access
from services.gateway.common.app import Part, Resources
from services.gateway.fine_tuning.app import FineTuning
from services.gateway.inference.adapters.routing_metrics import routing_metrics
from services.gateway.inference.adapters.vllm_chat import VllmChat
from services.gateway.inference.api import chat, models
from services.gateway.inference.api.chat import ChatHandler
from services.gateway.inference.api.chat_metrics import chat_metrics
from services.gateway.inference.api.chat_trace import TracedChat
from services.gateway.inference.api.fast_path import FastHandler
from services.gateway.inference.domain import chat_request, completion_request
from services.gateway.inference.service.inference import Inference
from services.gateway.inference.service.replica_attempt import ReplicaAttempt
from services.gateway.inference.service.shadow import ShadowTraffic
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.inference.service.target_resolver import TargetResolver
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.app import Serving
from services.gateway.serving.domain.fleet import Fleet
from shared import tracing
from shared.events import RoutingChanged
from shared.sessions import NatsSessionStore, Sessions


@dataclass(frozen=True)
class InferencePart:
    """The part, what decides who may call a model, and the handlers of the fast path by URL path."""

    part: Part
    resolver: TargetResolver
    traffic_splits: TrafficSplits
    fast_handlers: Mapping[str, FastHandler]


def inference(
    resources: Resources,
    *,
    access: Access,
    serving: Serving,
    fine_tuning: FineTuning,
    fleet: Fleet,
    splits: SplitPlans,
    loads_on_demand: bool,
) -> InferencePart:
    """`loads_on_demand` is false where another process reconciles: what this one loaded would never be unloaded."""
    settings = resources.settings
    engine = VllmChat(settings.engine_api_key.get_secret_value(), settings.engine_timeout_s)
    resolver = TargetResolver(
        directory=serving.directory,
        fleet=fleet,
        jobs=fine_tuning.jobs,
        checkpoints=fine_tuning.checkpoints,
        permissions=fine_tuning.permissions,
    )
    use_case = Inference(
        resolver=resolver,
        requests=ReplicaAttempt(engine=serving.engine, chat_engine=engine, changed=serving.changed),
        splits=splits,
        shadow=ShadowTraffic(engine=engine, fleet=fleet, metrics=routing_metrics()),
        fleet=fleet,
        on_demand=serving.loader if loads_on_demand else serving.follower,
        ledger=access.ledger,
        max_in_flight=settings.max_in_flight,
    )
    traffic_splits = TrafficSplits(
        splits=splits.splits, versions=serving.versions, directory=serving.directory, changed=serving.changed
    )
    handler = ChatHandler(
        inference=use_case,
        keyring=resources.keyring,
        sessions=Sessions(NatsSessionStore(resources.bus), resources.keyring),
        max_choices=settings.max_choices,
        max_body_bytes=settings.max_body_bytes,
        metrics=chat_metrics(),
    )
    part = Part(
        routes=[chat.routes, chat.text_routes],
        model_routes=models.routes,
        dependencies={
            "models": serving.models,
            "versions": serving.versions,
            "splits": traffic_splits,
            "deletion": serving.deletion,
        },
        lifespan=[engine.running],
        subscribe=lambda: resources.bus.restore(RoutingChanged, splits.restore),
    )
    handlers: dict[str, FastHandler] = {
        chat_request.PATH: handler,
        completion_request.PATH: replace(handler, admit=completion_request.admit),
    }
    if tracing.enabled():
        answered: set[str] = set()
        handlers = {path: TracedChat(path, found, answered) for path, found in handlers.items()}
    return InferencePart(part=part, resolver=resolver, traffic_splits=traffic_splits, fast_handlers=handlers)
