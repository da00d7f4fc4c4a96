"""Builds the events part: posting and following events, webhooks, dead letters."""

from dataclasses import dataclass

from services.gateway.common.app import Part, Resources
from services.gateway.events.adapters.nats_dead_letters import NatsDeadLetters
from services.gateway.events.adapters.nats_events import NatsEventStream
from services.gateway.events.adapters.webhook_client import HttpWebhookClient
from services.gateway.events.api import dead_letters, webhooks
from services.gateway.events.api import events as events_api
from services.gateway.events.domain.networks import networks
from services.gateway.events.domain.posted_event import PostedEvent
from services.gateway.events.domain.stream_position import StreamPosition
from services.gateway.events.domain.webhook import Webhook
from services.gateway.events.domain.webhook_delivery import WebhookDelivery
from services.gateway.events.service.dead_letters import DeadLetters
from services.gateway.events.service.event_owners import EventOwners
from services.gateway.events.service.publisher import Admit, EventPublisher, MayCall
from services.gateway.events.service.stream_fill import StreamFill
from services.gateway.events.service.subscriptions import EventSubscriptions
from services.gateway.events.service.webhook_dispatcher import WebhookDispatcher
from services.gateway.events.service.webhooks import Webhooks
from services.gateway.fine_tuning.app import FineTuning
from shared.retention import Retention
from shared.web import background

DELIVERY_INDEXES = (("status", "due_at"), ("status", "at"), ("webhook_id", "at"), ("webhook_id", "status", "at"))


@dataclass(frozen=True)
class Events:
    """The part, and what the console uses of it."""

    part: Part
    publisher: EventPublisher
    dead_letters: DeadLetters
    subscriptions: EventSubscriptions
    webhooks: Webhooks
    fill: StreamFill


def events(resources: Resources, fine_tuning: FineTuning, *, may_call: MayCall, admit: Admit) -> Events:
    settings = resources.settings
    stream = NatsEventStream(resources.bus)
    owners = EventOwners(files=fine_tuning.files, jobs=fine_tuning.jobs, alias_owners=fine_tuning.alias_owners)
    endpoints = resources.collection("webhooks", Webhook, few=True)
    deliveries = resources.collection("webhook_deliveries", WebhookDelivery, DELIVERY_INDEXES)
    client = HttpWebhookClient(networks(settings.webhook_networks))
    dispatcher = WebhookDispatcher(
        stream=stream,
        webhooks=endpoints,
        deliveries=deliveries,
        positions=resources.collection("cursors", StreamPosition),
        client=client,
        owners=owners,
        key_of=resources.keyring.get,
        delays_s=settings.webhook_delays_s,
    )
    publisher = EventPublisher(
        stream=stream,
        files=fine_tuning.files,
        jobs=fine_tuning.jobs,
        aliases=fine_tuning.aliases,
        artifacts=fine_tuning.artifacts,
        posted=resources.collection("posted_events", PostedEvent, ["at"]),
        may_call=may_call,
        admit=admit,
        holdings=fine_tuning.holdings,
    )
    letters = DeadLetters(letters=NatsDeadLetters(resources.bus))
    subscriptions = EventSubscriptions(stream=stream, owners=owners, max_open=settings.max_event_streams)
    webhook_use_cases = Webhooks(views=endpoints, deliveries=deliveries, client=client)
    fill = StreamFill(stream)
    part = Part(
        routes=[events_api.routes, dead_letters.routes, webhooks.routes, webhooks.type_routes],
        dependencies={
            "publisher": publisher,
            "dead_letters": letters,
            "subscriptions": subscriptions,
            "webhooks": webhook_use_cases,
        },
        retentions=[
            Retention(deliveries, settings.webhook_delivery_days, fields={"status__in": ["delivered", "dead"]}),
            # An id that consumers know no more may mean another event.
            Retention(publisher.posted, settings.common.inbox_days),
        ],
        lifespan=[
            client.running,
            background(dispatcher.run_enqueuing),
            background(dispatcher.run_delivering),
            background(fill.run),
        ],
    )
    return Events(
        part=part,
        publisher=publisher,
        dead_letters=letters,
        subscriptions=subscriptions,
        webhooks=webhook_use_cases,
        fill=fill,
    )
