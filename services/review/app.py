"""Puts review together."""

from litestar import Litestar

from services.review import handlers, pages
from services.review.config import Settings
from services.review.pages.rendering import PAGES
from services.review.pairs import api as pairs_api
from services.review.pairs.baselines import Baselines
from services.review.pairs.domain.baseline import Baseline
from services.review.pairs.domain.pair import Pair
from services.review.pairs.service import Pairs
from services.review.panels import api as panels_api
from services.review.panels import manage_api
from services.review.panels.answer_requests import AnswerRequests, Asked
from services.review.panels.app import Panels, Records
from services.review.policies import api as policies_api
from services.review.policies.catalog import Binding, PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.restoration import PolicyRestoration
from services.review.policies.shipped import shipped_policies
from services.review.problems import problems
from services.review.questions import api as questions_api
from services.review.questions.catalog import QuestionCatalog
from services.review.questions.domain.question_set import QuestionSet
from services.review.runs import api as runs_api
from services.review.runs.advising import Advising
from services.review.runs.checkpoints import Checkpoints
from services.review.runs.deciding import Runs
from services.review.runs.domain.run import UNDECIDED, Run
from services.review.runs.job_evaluations import AnswerRecord, EvaluationRecord, JobEvaluations
from services.review.runs.overriding import Overriding
from services.review.runs.policy_trials import Trials
from services.review.runs.proving import Proving
from services.review.runs.restoration import RunRestoration
from services.review.workbook import api as workbook_api
from shared import web
from shared.artifacts import Artifacts
from shared.bus import Bus
from shared.pages import error_pages
from shared.store import Store

RUN_INDEXES = (
    ("policy_name", "status"),
    ("status", "decided_at"),
    ("alias", "status", "decided_at"),
    ("alias", "status", "heard_at"),
    ("alias", "heard_at"),
)


def build(settings: Settings) -> Litestar:
    """The whole service, not yet connected to anything."""
    common = settings.common
    store = Store(common.mongo_url, f"{common.database_prefix}review", "review")
    bus = Bus(common.nats_url, "review", store)
    artifacts = Artifacts(common.artifacts, create=False)
    runs = store.collection("runs", Run, RUN_INDEXES)

    async def jobs_using(policy: str) -> int:
        return len(await runs.find(policy_name=policy, status__in=UNDECIDED))

    catalog = PolicyCatalog(
        policies=store.collection("policies", NamedPolicy, few=True),
        bindings=store.collection("bindings", Binding, ["policy"]),
        jobs_using=jobs_using,
        shipped=shipped_policies(),
        files=artifacts,
        default=settings.default_policy,
    )
    question_sets = QuestionCatalog(sets=store.collection("question_sets", QuestionSet, few=True), files=artifacts)
    records = Records.of(store)
    answer_requests = AnswerRequests(
        opening=records.opening(artifacts),
        asked=store.collection("asked_questions", Asked, indexes=[]),
        questions=question_sets.asked,
        files=artifacts,
    )
    evaluations = JobEvaluations(
        store.collection("evaluations", EvaluationRecord, ["job_id"]),
        store.collection("answers", AnswerRecord, indexes=[]),
    )
    use_cases = Runs(
        runs=runs,
        evaluations=evaluations,
        catalog=catalog,
        proving=Proving(artifacts),
        advising=Advising(runs, evaluations),
        open_review=answer_requests.open,
        answered=answer_requests.answered,
        end_review=records.withdrawal().end,
        questions_revision=question_sets.newest_revision,
    )
    panels = Panels.of(
        records,
        decide=use_cases.people_decided,
        run_reopened=use_cases.reopened,
        known_items=question_sets.known_items,
    )
    pairs = Pairs(pairs=store.collection("pairs", Pair, ["review_id"]), assignments=panels.assignments)
    baselines = Baselines(
        baselines=store.collection("baselines", Baseline, [("review_id", "asked_at")]),
        pairs=pairs,
        checkpoints=Checkpoints(runs, evaluations),
        files=artifacts,
    )
    handlers.subscribe(bus, use_cases, baselines)
    handlers.restore(
        bus,
        PolicyRestoration(catalog.policies, catalog.bindings, catalog.shipped, artifacts),
        RunRestoration(runs, records.reviews, catalog.of_review, catalog.revision_of),
    )
    return web.build(
        "review",
        settings,
        [
            policies_api.routes,
            runs_api.routes,
            panels_api.routes,
            manage_api.routes,
            questions_api.routes,
            workbook_api.routes,
            pairs_api.routes,
            pairs_api.manage_routes,
            pages.routes,
        ],
        checks={"mongo": store.check, "nats": bus.check, "artifacts": artifacts.ready},
        lifespan=[web.connections(store, bus, inbox_days=common.inbox_days), web.background(panels.completion.run)],
        audited=store,
        dependencies={
            "runs": use_cases,
            "trials": Trials(runs, evaluations),
            "overriding": Overriding(use_cases),
            "catalog": catalog,
            "questions": question_sets,
            "pairs": pairs,
            "baselines": baselines,
            **panels.dependencies(),
        },
        exception_handlers=problems,
        page_errors=error_pages(PAGES),
    )
