"""Every page of the console by its address, over stores in memory with few or many documents."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.evaluator.pages.routes import routes as evaluator_routes
from services.gateway.access.domain.invitation import InvitationRequest
from services.gateway.access.service.invitations import Invitations
from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.ingest.domain.dataset import Dataset
from services.review.panels.domain.review import Review
from services.trainer.pages.routes import routes as trainer_routes
from services.trainer.service.run_store import RunStore
from shared.events import DatasetUploaded, PromptTemplate
from shared.security import Key
from shared.store import MemoryStore
from tests.browser import test_admin_pages, test_console, test_serve_pages
from tests.browser.admin_data import AdminData, MemoryKeys, entry
from tests.browser.console_data import ARTIFACT, ConsoleData, job, scored
from tests.browser.console_data import fill as fill_console
from tests.browser.data_page_site import DataPages, data_site
from tests.browser.evaluator_data import BASE as ASKED_BASE
from tests.browser.evaluator_data import OTHER_BASE, EvaluatorData, evaluation
from tests.browser.large_data_set import add_large_data_set
from tests.browser.many_documents import add_many
from tests.browser.review_data import POLICY, REVIEW, review_site
from tests.browser.serving_data import BASE, NAME, filled
from tests.browser.site import Site, at_once, serving
from tests.browser.test_data_pages import bad_file, good_file
from tests.browser.trainer_data import add, checkpoint, run, use_cases
from tests.browser.without_deadline import without_deadline
from tests.unit.review.evidence import candidate


@dataclass(frozen=True)
class ConsolePage:
    """A page by its address; `has_curve` allows the larger first screen."""

    name: str
    path: str
    has_curve: bool = False


@dataclass(frozen=True)
class Opened:
    """A site with an administrator's key, and the ids that its pages' addresses need."""

    site: Site
    secret: str
    ids: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> Key:
        return self.site.keyring.authenticate(f"Bearer {self.secret}")

    def url(self, page: ConsolePage) -> str:
        return self.site.url + page.path.format(**self.ids)

    def send(self, path: str, **form: Any) -> httpx.Response:
        """What a form of the console sends; the answer leads to a page."""
        headers = {"authorization": f"Bearer {self.secret}", "origin": self.site.url}
        answer = httpx.post(self.site.url + path, headers=headers, timeout=60, **form)
        assert answer.status_code == 303, answer.text
        return answer


def _opened(site: Site) -> Opened:
    return Opened(site, site.keyring.create("Ana Ruiz", ("admin",)))


@contextmanager
def _home(folder: Path, many: int) -> Iterator[Opened]:
    data = ConsoleData()
    at_once(fill_console(data))
    add_many(data.store, "jobs", job("ftjob", "shop", 0, status="failed"), _numbered("ftjob", "at"), many)
    upload = DatasetUploaded(file_id="file", filename="x.jsonl", artifact=ARTIFACT)
    file = UploadedFile(id="file", known=True, upload=upload)
    add_many(data.store, "files", file, _numbered("file", "at"), many)
    for number in range(min(20, many)):
        at_once(data.checkpoints.create(scored(f"ftjob-{many - 1 - number}", 248, "shop", 0.8)))
    with test_console.site_with(data, folder) as site:
        yield _opened(site)


@contextmanager
def _data(folder: Path, many: int) -> Iterator[Opened]:
    data = DataPages(folder / "data")
    upload = DatasetUploaded(file_id="file", filename="x.jsonl", artifact=ARTIFACT)
    made = Dataset(id="file", upload=upload, status="rejected")
    add_many(data.store, "datasets", made, _numbered("file", "at"), many)
    data.check("file-good", good_file(), created_at=100, dataset="shop")
    data.check("file-bad", bad_file(), created_at=300)
    (folder / "rows").mkdir()
    add_large_data_set(data, folder / "rows", rows=50 * many)
    with data_site(data, folder, relayed=False) as site:
        opened = _opened(site)
        template = PromptTemplate(name="support", version=1, system="Be brief.")
        at_once(data.templates.publish(opened.key.person, template, None))
        yield opened


@contextmanager
def _train(folder: Path, many: int) -> Iterator[Opened]:
    memory = MemoryStore("trainer")
    store = RunStore.of(memory)
    add_many(memory, "runs", run("ftjob", "queued"), _numbered("ftjob", "created_at"), many)
    checkpoints = tuple(checkpoint(step) for step in range(50, many + 1, 50))
    add(store, run("ftjob-long", "running", total=many, started_at=1, checkpoints=checkpoints), many)
    add(store, run("ftjob-done", "succeeded", started_at=1, checkpoints=checkpoints), 62)
    with serving([trainer_routes], folder, lambda *_: use_cases(store)) as site:
        yield _opened(site)


@contextmanager
def _evaluate(folder: Path, many: int) -> Iterator[Opened]:
    data = EvaluatorData(folder / "data")
    for step in range(many // 50):
        at_once(data.evaluations.store.create(evaluation(step, metrics=20)))
    with without_deadline(), serving([evaluator_routes], folder, data.provide, lifespan=[data.filled]) as site:
        opened = _opened(site)
        form = {"model": [ASKED_BASE, OTHER_BASE], "suite": "shop"}
        asked = opened.send("/console/evaluator/requests", data=form)
        yield Opened(site, opened.secret, {"evaluation": asked.headers["location"].rpartition("/")[2]})


@contextmanager
def _review(folder: Path, many: int) -> Iterator[Opened]:
    review = Review(id="r", job_id="j", candidate=candidate(1), policy=POLICY, items=3, opened_at=0, status="closed")

    def fill(store: MemoryStore) -> None:
        add_many(store, "reviews", review, _numbered("r", "opened_at"), many)

    with review_site(folder, fill=fill) as site:
        opened = _opened(site)
        question = {"prompt": "可以机洗吗？", "expected": "可以，三十度。"}
        file = ("questions.jsonl", json.dumps(question).encode())
        opened.send("/console/review/question-sets", data={"name": "shop"}, files={"file": file})
        yield opened


@contextmanager
def _serve(folder: Path, _many: int) -> Iterator[Opened]:
    with test_serve_pages.site_with(filled(), folder) as site:
        yield _opened(site)


@contextmanager
def _admin(folder: Path, many: int) -> Iterator[Opened]:
    data = AdminData()
    add_many(data.store, "audit", entry(0), _numbered("audit", "at"), many)
    for number in range(many // 20):
        data.add_letter(number, "eval.done", "gateway")
    with test_admin_pages.site_with(data, folder) as site:
        opened = _opened(site)
        invitations = Invitations(invitations=data.invitations, keys=MemoryKeys(site.keyring))
        secret, _ = at_once(invitations.create(InvitationRequest(name="Lin Yue", scopes=("review",)), opened.key))
        yield Opened(site, opened.secret, {"invitation": secret})


def _numbered(name: str, by: str) -> Callable[[int], dict[str, Any]]:
    """The id and the place in the order of the document with that number."""
    return lambda number: {"_id": f"{name}-{number}", by: number}


_COMPARED = "of=ftjob-3e91c7/248&of=ftjob-3e91c7/310&base=true&production=true"
OpenSite = Callable[[Path, int], AbstractContextManager[Opened]]
"""Opens the site of a part in a folder, with that many documents in its longest lists."""

PAGES: dict[str, tuple[OpenSite, tuple[ConsolePage, ...]]] = {
    "home": (_home, (ConsolePage("sign-in", "/console/sign-in"), ConsolePage("home", "/console/"))),
    "data": (
        _data,
        (
            ConsolePage("data sets", "/console/ingest/"),
            ConsolePage("upload", "/console/ingest/upload"),
            ConsolePage("a file in its check", "/console/ingest/files/file-new"),
            ConsolePage("a data set", "/console/ingest/datasets/file-large"),
            ConsolePage("a small data set", "/console/ingest/datasets/file-good"),
            ConsolePage("its rows", "/console/ingest/datasets/file-large/rows?after=200"),
            ConsolePage("bad rows", "/console/ingest/datasets/file-bad/findings"),
            ConsolePage("templates", "/console/ingest/templates/"),
            ConsolePage("new template", "/console/ingest/new-template"),
            ConsolePage("a template", "/console/ingest/templates/support"),
        ),
    ),
    "train": (
        _train,
        (
            ConsolePage("jobs", "/console/trainer/"),
            ConsolePage("jobs, deep", "/console/trainer/?after=ftjob-20"),
            ConsolePage("new job", "/console/trainer/new"),
            ConsolePage("run", "/console/trainer/jobs/ftjob-long", has_curve=True),
            ConsolePage("runs compared", "/console/trainer/compare?job=ftjob-long&job=ftjob-done", has_curve=True),
        ),
    ),
    "evaluate": (
        _evaluate,
        (
            ConsolePage("checkpoints", "/console/evaluator/"),
            ConsolePage("comparison", f"/console/evaluator/compare?{_COMPARED}"),
            ConsolePage("ask models", "/console/evaluator/requests"),
            ConsolePage("models asked", "/console/evaluator/requests/{evaluation}"),
            ConsolePage("suites", "/console/evaluator/suites"),
            ConsolePage("new suite", "/console/evaluator/suites/new"),
            ConsolePage("a suite", "/console/evaluator/suites/shop"),
            ConsolePage("a suite in its editor", "/console/evaluator/suites/shop/edit?task=faq"),
        ),
    ),
    "review": (
        _review,
        (
            ConsolePage("my reviews", "/console/review/"),
            ConsolePage("scoring", REVIEW),
            ConsolePage("pairs", f"{REVIEW}/pairs"),
            ConsolePage("panel", f"{REVIEW}/panel"),
            ConsolePage("what pairs compare with", f"{REVIEW}/baselines"),
            ConsolePage("verdict", "/console/review/verdicts/job-0"),
            ConsolePage("policies", "/console/review/policies"),
            ConsolePage("a policy", "/console/review/policies/quick"),
            ConsolePage("question sets", "/console/review/question-sets"),
            ConsolePage("a question set", "/console/review/question-sets/shop"),
        ),
    ),
    "serve": (
        _serve,
        (
            ConsolePage("serve", f"/console/serve/?name={NAME}"),
            ConsolePage("playground", f"/console/serve/playground?a={NAME}&b={BASE}&mode=two"),
        ),
    ),
    "admin": (
        _admin,
        (
            *(ConsolePage(f"admin, {tab.replace('_', ' ')}", f"/console/admin/{tab}") for tab in test_admin_pages.TABS),
            ConsolePage("invitation", "/console/invitation?secret={invitation}"),
        ),
    ),
}
