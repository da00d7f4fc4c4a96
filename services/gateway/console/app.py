"""Builds the console part: sign-in, home, static files, and the proxy for the other services."""

from litestar import Response, get
from litestar.response import Redirect

from services.gateway.access.app import Access
from services.gateway.common.app import Part, Resources
from services.gateway.console.adapters.http_forwarder import HttpForwarder
from services.gateway.console.api import sign_in_links
from services.gateway.console.api.forwarded_paths import forwarded_paths
from services.gateway.console.domain.preference import Preference
from services.gateway.console.pages import PAGES, invitation, sign_in
from services.gateway.console.pages import routes as signed_in_pages
from services.gateway.console.service.engine_changes import EngineChanges
from services.gateway.console.service.overview import Overviews
from services.gateway.console.service.preferences import Preferences
from services.gateway.console.service.serving_overview import ServingOverviews
from services.gateway.console.service.sign_in_links import SignInLinks
from services.gateway.events.app import Events
from services.gateway.fine_tuning.app import FineTuning
from services.gateway.fine_tuning.service.ranking_metrics import RankingMetrics
from services.gateway.inference.service.split_plans import SplitPlans
from services.gateway.inference.service.traffic_splits import TrafficSplits
from services.gateway.serving.app import Serving
from services.gateway.serving.domain.fleet import Fleet
from shared.pages.static_files import static_route
from shared.retention import Retention
from shared.sessions import NatsSessionStore


@get("/", include_in_schema=False, sync_to_thread=False)
def start() -> Response[None]:
    return Redirect("/console/", status_code=302)


def console(
    resources: Resources,
    *,
    fine_tuning: FineTuning,
    serving: Serving,
    access: Access,
    events: Events,
    fleet: Fleet,
    splits: SplitPlans,
    traffic_splits: TrafficSplits,
) -> Part:
    """The part; the other services are those of the setting `console_services`."""
    metrics = RankingMetrics(fine_tuning.configurations.views)
    overviews = Overviews(
        jobs=fine_tuning.jobs,
        files=fine_tuning.files,
        checkpoints=fine_tuning.checkpoints,
        metrics=metrics,
        directory=serving.directory,
        fleet=fleet,
        stream_fill=events.fill,
    )
    serving_overviews = ServingOverviews(
        directory=serving.directory,
        splits=splits,
        deployments=serving.directory.deployments,
        splits_of_names=splits.splits,
        pools=serving.pools,
    )
    preferences = Preferences(resources.collection("preferences", Preference, [("owner", "at"), "at"]))
    forwarder = HttpForwarder()
    links = SignInLinks(store=NatsSessionStore(resources.bus), keyring=resources.keyring)
    return Part(
        routes=[
            start,
            static_route(),
            sign_in.routes,
            invitation.routes,
            *signed_in_pages.ROUTES,
            sign_in_links.routes,
            *forwarded_paths(forwarder, resources.settings.console_services, PAGES),
        ],
        dependencies={
            "sign_in_links": links,
            "overviews": overviews,
            "serving": serving_overviews,
            "preferences": preferences,
            "engines": EngineChanges(pools=serving.pools),
            "splits": traffic_splits,
            "versions": serving.versions,
            "jobs": fine_tuning.job_use_cases,
            "metrics": metrics,
            "publisher": events.publisher,
            "dead_letters": events.dead_letters,
            "webhooks": events.webhooks,
            "keys": access.keys,
            "people": access.people,
            "invitations": access.invitations,
            "ledger": access.ledger,
            "audit_log": access.audit_log,
        },
        retentions=[Retention(preferences.stored, resources.settings.preference_days)],
        lifespan=[forwarder.running],
    )
