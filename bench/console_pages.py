"""The pages that `bench.console` opens, over stores in memory that hold as much as a large installation."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from services.evaluator.pages.routes import routes as evaluator_routes
from services.evaluator.suites.adapters import prompt_template
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.ingest.domain.dataset import Dataset
from services.review.panels.domain.review import Review
from services.trainer.pages.routes import routes as trainer_routes
from services.trainer.service.run_store import RunStore
from shared.events import DatasetUploaded
from shared.store import MemoryStore
from tests.browser import test_admin_pages, test_console, test_serve_pages
from tests.browser.admin_data import AdminData, entry
from tests.browser.console_data import ARTIFACT, ConsoleData, job, scored
from tests.browser.data_page_site import DataPages, data_site
from tests.browser.evaluator_data import EvaluatorData, evaluation
from tests.browser.large_data_set import add_large_data_set
from tests.browser.many_documents import add_many
from tests.browser.review_data import POLICY, REVIEW, review_site
from tests.browser.serving_data import BASE, NAME, filled
from tests.browser.site import Site, at_once, serving
from tests.browser.trainer_data import add, checkpoint, run, use_cases
from tests.unit.review.evidence import candidate


@dataclass(frozen=True)
class ConsolePage:
    """A page by its address; `has_curve` allows the larger first screen."""

    name: str
    path: str
    has_curve: bool = False


@contextmanager
def _home(folder: Path) -> Iterator[Site]:
    data = ConsoleData()
    add_many(data.store, "jobs", job("ftjob", "shop", 0, status="failed"), lambda n: {"_id": f"ftjob-{n}", "at": n})
    upload = DatasetUploaded(file_id="file", filename="x.jsonl", artifact=ARTIFACT)
    file = UploadedFile(id="file", known=True, upload=upload)
    add_many(data.store, "files", file, lambda n: {"_id": f"file-{n}", "at": n})
    for number in range(20):
        at_once(data.checkpoints.create(scored(f"ftjob-{9999 - number}", 248, "shop", 0.8)))
    with test_console.site_with(data, folder) as site:
        yield site


@contextmanager
def _data(folder: Path) -> Iterator[Site]:
    data = DataPages(folder / "data")
    upload = DatasetUploaded(file_id="file", filename="x.jsonl", artifact=ARTIFACT)
    made = Dataset(id="file", upload=upload, status="rejected")
    add_many(data.store, "datasets", made, lambda n: {"_id": f"file-{n}", "at": n})
    (folder / "rows").mkdir()
    add_large_data_set(data, folder / "rows")
    with data_site(data, folder, relayed=False) as site:
        yield site


@contextmanager
def _train(folder: Path) -> Iterator[Site]:
    memory = MemoryStore("trainer")
    store = RunStore.of(memory)
    add_many(memory, "runs", run("ftjob", "queued"), lambda n: {"_id": f"ftjob-{n}", "created_at": n})
    checkpoints = tuple(checkpoint(step) for step in range(50, 10_001, 50))
    add(store, run("ftjob-long", "running", total=10_000, started_at=1, checkpoints=checkpoints), 10_000)
    with serving([trainer_routes], folder, lambda *_: use_cases(store)) as site:
        yield site


@contextmanager
def _evaluate(folder: Path) -> Iterator[Site]:
    # The deadline of a template needs the main thread, which is not the one that serves here.
    prompt_template._deadline = lambda _limit_s: nullcontext()  # type: ignore[assignment]
    data = EvaluatorData(folder / "data")
    for step in range(200):
        at_once(data.evaluations.store.create(evaluation(step, metrics=20)))
    with serving([evaluator_routes], folder, data.provide, lifespan=[data.filled]) as site:
        yield site


@contextmanager
def _review(folder: Path) -> Iterator[Site]:
    review = Review(id="r", job_id="j", candidate=candidate(1), policy=POLICY, items=3, opened_at=0, status="closed")

    def fill(store: MemoryStore) -> None:
        add_many(store, "reviews", review, lambda n: {"_id": f"r-{n}", "opened_at": n})

    with review_site(folder, fill=fill) as site:
        yield site


@contextmanager
def _serve(folder: Path) -> Iterator[Site]:
    with test_serve_pages.site_with(filled(), folder) as site:
        yield site


@contextmanager
def _admin(folder: Path) -> Iterator[Site]:
    data = AdminData()
    add_many(data.store, "audit", entry(0), lambda n: {"_id": f"audit-{n}", "at": n})
    for number in range(500):
        data.add_letter(number, "eval.done", "gateway")
    with test_admin_pages.site_with(data, folder) as site:
        yield site


_COMPARED = "of=ftjob-3e91c7/248&of=ftjob-3e91c7/310&base=true&production=true"
OpenSite = Callable[[Path], AbstractContextManager[Site]]
PAGES: tuple[tuple[OpenSite, tuple[ConsolePage, ...]], ...] = (
    (_home, (ConsolePage("sign-in", "/console/sign-in"), ConsolePage("home", "/console/"))),
    (
        _data,
        (
            ConsolePage("data sets", "/console/ingest/"),
            ConsolePage("upload", "/console/ingest/upload"),
            ConsolePage("a data set", "/console/ingest/datasets/file-large"),
            ConsolePage("its rows", "/console/ingest/datasets/file-large/rows?after=250000"),
            ConsolePage("templates", "/console/ingest/templates/"),
        ),
    ),
    (
        _train,
        (
            ConsolePage("jobs", "/console/trainer/"),
            ConsolePage("jobs, deep", "/console/trainer/?after=ftjob-100"),
            ConsolePage("new job", "/console/trainer/new"),
            ConsolePage("run", "/console/trainer/jobs/ftjob-long", has_curve=True),
        ),
    ),
    (
        _evaluate,
        (
            ConsolePage("checkpoints", "/console/evaluator/"),
            ConsolePage("comparison", f"/console/evaluator/compare?{_COMPARED}"),
            ConsolePage("suites", "/console/evaluator/suites"),
        ),
    ),
    (
        _review,
        (
            ConsolePage("my reviews", "/console/review/"),
            ConsolePage("scoring", REVIEW),
            ConsolePage("panel", f"{REVIEW}/panel"),
            ConsolePage("verdict", "/console/review/verdicts/job-0"),
            ConsolePage("policies", "/console/review/policies"),
        ),
    ),
    (
        _serve,
        (
            ConsolePage("serve", f"/console/serve/?name={NAME}"),
            ConsolePage("playground", f"/console/serve/playground?a={NAME}&b={BASE}&mode=two"),
        ),
    ),
    (
        _admin,
        tuple(ConsolePage(f"admin, {tab.replace('_', ' ')}", f"/console/admin/{tab}") for tab in test_admin_pages.TABS),
    ),
)
