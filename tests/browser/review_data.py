"""Review over memory, as its pages show it: a run that waits for people, and one that rules decided."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from litestar.di import Provide
from playwright.sync_api import Browser, BrowserContext, Page

from services.review.app import RUN_INDEXES
from services.review.pages.rendering import LIKE
from services.review.pages.routes import HANDLERS, PAGES
from services.review.pairs import api as pairs_api
from services.review.pairs.baselines import Baselines
from services.review.pairs.domain.baseline import Baseline
from services.review.pairs.domain.pair import Pair
from services.review.pairs.service import Pairs
from services.review.panels import api as panels_api
from services.review.panels import manage_api
from services.review.panels.app import Panels, Records
from services.review.panels.calibration import KnownItem
from services.review.panels.domain.item import Item
from services.review.panels.domain.review import review_id
from services.review.policies.catalog import Binding, PolicyCatalog
from services.review.policies.domain.named_policy import NamedPolicy
from services.review.policies.domain.policy import Policy
from services.review.problems import problems
from services.review.questions.catalog import QuestionCatalog
from services.review.questions.domain.question_set import QuestionSet
from services.review.runs.advising import Advising
from services.review.runs.checkpoints import Checkpoints
from services.review.runs.deciding import Runs
from services.review.runs.domain.run import Run
from services.review.runs.job_evaluations import AnswerRecord, EvaluationRecord, JobEvaluations
from services.review.runs.overriding import Overriding
from services.review.runs.policy_trials import Trials
from services.review.runs.proving import Proving
from shared.artifacts import Artifacts
from shared.events import EvaluationAnswered
from shared.pages.rendering import Pages
from shared.pages.router import pages_router
from shared.store import MemoryStore
from shared.web import beside
from tests.browser.site import Site, serving
from tests.unit.review.evidence import candidate, evaluation, finish, sample_lines

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
KNOWN = KnownItem(
    Item(id="calibration-1", prompt="How long is the warranty?", reference="two years", answer="Two years."),
    {"accuracy": 5, "politeness": 5, "usefulness": 5},
)
POLICY = Policy.model_validate(
    {
        "name": "people",
        "mode": "human",
        "items_per_review": 3,
        "reviewers_wanted": 2,
        "adjudicate_from": 2,
        "calibration": "warm-up",
    }
)
QUICK = Policy.model_validate(
    {"name": "quick", "mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.5}]}
)
REVIEW = f"/console/review/reviews/{review_id(candidate(10))}"


class Service:
    """The use cases of review over memory, with one run that waits for people."""

    def __init__(
        self, folder: Path, policies: Mapping[str, Policy] | None = None, rows: list[dict[str, Any]] | None = None
    ) -> None:
        self.rows = rows or _rows_with_markup()
        self.store = store = MemoryStore("review")
        self.answered: list[EvaluationAnswered] = []
        self.artifacts = Artifacts(str(folder / "artifacts"))
        self.records = Records.of(store)
        catalog = PolicyCatalog(
            policies=store.collection("policies", NamedPolicy),
            bindings=store.collection("bindings", Binding),
            shipped=policies or {"people": POLICY, "quick": QUICK},
            files=self.artifacts,
            default="people",
            jobs_using=self._none,
        )
        runs = store.collection("runs", Run, RUN_INDEXES)
        evaluations = JobEvaluations(
            store.collection("evaluations", EvaluationRecord), store.collection("answers", AnswerRecord)
        )
        self.runs = Runs(
            runs=runs,
            evaluations=evaluations,
            catalog=catalog,
            proving=Proving(self.artifacts),
            advising=Advising(runs, evaluations),
            end_review=self.records.withdrawal().end,
            questions_revision=self._no_revision,
            open_review=self.records.opening(self.artifacts).open,
            answered=self._not_asked,
        )
        self.panels = Panels.of(
            self.records, decide=self.runs.people_decided, run_reopened=self.runs.reopened, known_items=self._known
        )
        self.overriding = Overriding(self.runs)
        pairs = Pairs(pairs=store.collection("pairs", Pair), assignments=self.panels.assignments)
        self.baselines = Baselines(
            baselines=store.collection("baselines", Baseline),
            pairs=pairs,
            checkpoints=Checkpoints(runs, evaluations),
            files=self.artifacts,
        )
        self.dependencies = {
            "runs": self.runs,
            "trials": Trials(runs, evaluations),
            "overriding": self.overriding,
            "catalog": catalog,
            "questions": QuestionCatalog(sets=store.collection("question_sets", QuestionSet), files=self.artifacts),
            "pairs": pairs,
            "baselines": self.baselines,
            **self.panels.dependencies(),
        }

    async def _none(self, _policy: str) -> int:
        return 0

    async def _no_revision(self, _name: str) -> None:
        return None

    async def _not_asked(self, event: EvaluationAnswered) -> None:
        self.answered.append(event)

    async def _known(self, _name: str) -> list[KnownItem]:
        return [KNOWN]

    @asynccontextmanager
    async def lifespan(self, app: Any) -> Any:
        lines = b"".join(json.dumps({"production_answer": "Old.", **row}).encode() + b"\n" for row in self.rows)
        await self.runs.evaluated(evaluation(5, 0.9, job_id="job-0", policy="quick"))
        await self.runs.finished(finish(5, job_id="job-0"))
        done = evaluation(10, 0.9, samples=self.artifacts.put_bytes(lines))
        await self.runs.evaluated(done.model_copy(update={"production": "v-old"}))
        await self.runs.finished(finish(10))
        async with beside(self.panels.completion.run()):
            yield


def _rows_with_markup() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in sample_lines(3).splitlines()]
    rows[0]["answer"] = HOSTILE
    return rows


@contextmanager
def review_site(
    folder: Path,
    rows: list[dict[str, Any]] | None = None,
    *,
    fill: Callable[[MemoryStore], None] | None = None,
    service: Service | None = None,
) -> Iterator[Site]:
    """The pages and the API of review over these questions and answers; `fill` puts more into its store."""
    service = service or Service(folder, rows=rows)
    if fill:
        fill(service.store)
    # Each site has a router with pages of its own, because Litestar copies its exception handlers.
    pages = pages_router(
        "/console/review", HANDLERS, Pages("review", PAGES.folder), scopes=["review", "train"], like=LIKE
    )
    options: dict[str, Any] = {
        "dependencies": {name: provided(value) for name, value in service.dependencies.items()},
        "exception_handlers": problems,
        "lifespan": [service.lifespan],
    }
    with serving(
        [pages, panels_api.routes, manage_api.routes, pairs_api.routes, pairs_api.manage_routes], folder, **options
    ) as site:
        yield site


def provided(value: object) -> Any:
    """A dependency that is this value."""
    return Provide(lambda: value, sync_to_thread=False)


def reviewer(browser: Browser, site: Site, name: str, *scopes: Any, locale: str = "en-GB", **options: Any) -> Page:
    context: BrowserContext = browser.new_context(
        **{"viewport": {"width": 1280, "height": 900}, "locale": locale, "color_scheme": "light", **options}
    )
    site.sign_in(context, *scopes, name=name)
    page = context.new_page()
    page.set_default_timeout(15_000)
    return page
