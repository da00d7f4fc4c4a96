"""Pages make few queries and read few documents, also over ten thousand jobs, files and reviews."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.gateway.fine_tuning.domain.uploaded_file import UploadedFile
from services.review.panels.domain.review import Review
from services.trainer.pages.jobs import PAGE_SIZE
from services.trainer.pages.routes import routes as trainer_routes
from services.trainer.service.run_store import RunStore
from shared.events import DatasetUploaded
from shared.store import MemoryStore
from tests.browser import test_admin_pages, test_console, test_serve_pages
from tests.browser.admin_data import AdminData, entry
from tests.browser.console_data import ARTIFACT, ConsoleData, job, scored
from tests.browser.counted_queries import Counted
from tests.browser.many_documents import add_many
from tests.browser.review_data import POLICY, Service
from tests.browser.serving_data import NAME, ServingData, deploy, filled, version
from tests.browser.site import Site, at_once, serving
from tests.browser.test_console import PARTS
from tests.browser.trainer_data import run, use_cases
from tests.unit.review.evidence import candidate


def page_of(site: Site, path: str) -> str:
    secret = site.keyring.create("counting", ("admin",))
    answer = httpx.get(f"{site.url}/console/{path}", headers={"authorization": f"Bearer {secret}"}, timeout=60)
    return answer.raise_for_status().text


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    memory = MemoryStore("trainer")
    store = RunStore.of(memory)
    add_many(memory, "runs", run("ftjob", "queued"), lambda n: {"_id": f"ftjob-{n:05}", "created_at": n})
    with serving([trainer_routes], tmp_path_factory.mktemp("site"), lambda *_: use_cases(store)) as site:
        yield site


@pytest.mark.parametrize(
    ("query", "first"), [("", 9999), ("?after=ftjob-00026", 25), ("?status=queued&after=ftjob-05000", 4999)]
)
def test_a_page_of_ten_thousand_jobs_reads_its_own_jobs_alone(
    trainer: Site, counted: Counted, query: str, first: int
) -> None:
    text = page_of(trainer, f"trainer/{query}")
    assert text.count('<tr><td><input type="checkbox"') == PAGE_SIZE
    assert f"ftjob-{first:05}" in text
    # The page of jobs and their files' names; and where the page begins.
    assert counted.queries == (3 if query else 2)
    assert counted.documents <= PAGE_SIZE + 2


def test_a_page_behind_a_job_that_is_gone_says_so(trainer: Site) -> None:
    secret = trainer.keyring.create("counting", ("admin",))
    headers = {"authorization": f"Bearer {secret}"}
    assert httpx.get(f"{trainer.url}/console/trainer/?after=ftjob-gone", headers=headers).status_code == 404


def test_home_reads_the_newest_of_ten_thousand_jobs_files_and_reviews(tmp_path: Path, counted: Counted) -> None:
    data = ConsoleData()
    failed = job("ftjob", "shop", 0, owner="someone", status="failed")
    add_many(data.store, "jobs", failed, lambda n: {"_id": f"ftjob-{n}", "at": n})
    upload = DatasetUploaded(file_id="file", filename="x.jsonl", artifact=ARTIFACT)
    add_many(
        data.store, "files", UploadedFile(id="file", known=True, upload=upload), lambda n: {"_id": f"f-{n}", "at": n}
    )
    at_once(data.checkpoints.create(scored("ftjob-9999", 248, "shop", 0.8)))
    with test_console.site_with(data, tmp_path) as site:
        counted.queries = counted.documents = 0
        assert "ftjob-9999" in page_of(site, "")
    assert counted.queries <= 5
    assert counted.documents < 250


def test_the_reviews_that_wait_are_found_among_ten_thousand(tmp_path: Path, counted: Counted) -> None:
    service = Service(tmp_path)
    review = Review(id="r", job_id="j", candidate=candidate(1), policy=POLICY, items=3, opened_at=0)
    statuses = ("open", *["closed"] * 99)
    add_many(service.store, "reviews", review, lambda n: {"_id": f"r-{n}", "opened_at": n, "status": statuses[n % 100]})
    with serving(PARTS[:1], tmp_path, lambda *_: service.panels.dependencies()) as site:
        counted.queries = counted.documents = 0
        assert "No review waits for you" in page_of(site, "review/waiting")
    assert counted.queries == 3
    assert counted.documents <= 50


@pytest.mark.parametrize("names", [1, 500])
def test_serve_makes_the_same_queries_for_one_name_and_for_hundreds(
    tmp_path: Path, counted: Counted, names: int
) -> None:
    data: ServingData = filled()
    for number in range(names):
        at_once(deploy(data, version(1, f"name-{number}"), 10_000 + number))
    at_once(data.directory.refresh())
    with test_serve_pages.site_with(data, tmp_path) as site:
        counted.queries = counted.documents = 0
        assert version(3).version in page_of(site, f"serve/?name={NAME}")
        assert counted.queries <= 4
        assert counted.documents < 30
        counted.queries = 0
        page_of(site, "serve/playground?mode=blind")
        assert counted.queries <= 1


@pytest.mark.parametrize("tab", ["keys", "people", "usage", "audit", "webhooks", "events", "dead_letters"])
def test_admin_makes_a_fixed_number_of_queries(tmp_path: Path, counted: Counted, tab: str) -> None:
    data = AdminData()
    for number in range(300):
        at_once(data.audit.create(entry(number)))
        data.add_letter(number, "eval.done", "gateway")
    with test_admin_pages.site_with(data, tmp_path) as site:
        counted.queries = counted.documents = 0
        page_of(site, f"admin/{tab}")
    assert counted.queries <= 2
    assert counted.documents <= 101
