"""Lists of data cost the same number of queries and bytes, whatever there is to list."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.ingest.domain.dataset import Dataset
from services.ingest.pages.datasets import PAGE_SIZE
from services.ingest.pages.prompt_templates import PAGE_SIZE as TEMPLATES_PER_PAGE
from services.ingest.pages.row_list import PAGE_SIZE as ROWS_PER_PAGE
from services.ingest.service.rows import Rows
from shared.artifacts import Artifacts
from shared.events import Artifact, DatasetUploaded, PromptTemplate
from tests.browser.counted_queries import Counted
from tests.browser.data_page_site import DataPages, data_site
from tests.browser.large_data_set import ABSENT, add_large_data_set
from tests.browser.site import Site, at_once

DATA_SETS = 10_000


@dataclass
class CountingFiles:
    """Artifacts, with the bytes that were read of them."""

    artifacts: Artifacts
    read: int = 0

    def fetch_file(self, artifact: Artifact, target: Any) -> None:
        self.artifacts.fetch_file(artifact, target)

    def open(self, artifact: Artifact) -> Any:
        return _CountingFile(self.artifacts.open(artifact), self)


@dataclass
class _CountingFile:
    file: Any
    files: CountingFiles

    def __enter__(self) -> "_CountingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def seek(self, place: int) -> None:
        self.file.seek(place)

    def read(self, size: int) -> bytes:
        self.files.read += size
        return self.file.read(size)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataPages:
    data = DataPages(tmp_path_factory.mktemp("data"))
    for number in range(DATA_SETS):
        upload = DatasetUploaded(file_id=f"file-{number}", filename="x.jsonl", artifact=ABSENT, created_at=number + 1)
        at_once(data.datasets.datasets.create(Dataset(id=upload.file_id, upload=upload, status="rejected")))
    return data


@pytest.fixture(scope="module")
def files(data: DataPages, tmp_path_factory: pytest.TempPathFactory) -> CountingFiles:
    """Half a million rows in one dataset, and the bytes that are read of them."""
    files = CountingFiles(data.artifacts)
    data.rows = Rows(files, tmp_path_factory.mktemp("cache"))
    add_large_data_set(data, tmp_path_factory.mktemp("rows"))
    return files


@pytest.fixture(scope="module")
def site(data: DataPages, files: CountingFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with data_site(data, tmp_path_factory.mktemp("site"), relayed=False) as site:
        yield site


def page_of(site: Site, path: str) -> str:
    secret = site.keyring.create("counting", ("admin",))
    url = f"{site.url}/console/ingest/{path}"
    answer = httpx.get(url, headers={"authorization": f"Bearer {secret}"}, timeout=60)
    return answer.raise_for_status().text


@pytest.mark.parametrize("path", ["", "?after=file-5000", "?status=rejected&after=file-40"])
def test_a_page_of_ten_thousand_data_sets_takes_two_queries(site: Site, counted: Counted, path: str) -> None:
    text = page_of(site, path)
    assert text.count('<tr><th scope="row">') == PAGE_SIZE
    assert counted.queries == (2 if "after" in path else 1)
    assert counted.documents <= PAGE_SIZE + 2


def test_the_page_of_a_dataset_takes_two_queries(site: Site, counted: Counted) -> None:
    page_of(site, "datasets/file-77")
    assert counted.queries == 2


@pytest.mark.parametrize(
    "query", ["", "after=499000", "split=train&after=250000", "text=Question+0499999&after=499000"]
)
def test_a_page_of_half_a_million_rows_reads_little_of_them(
    site: Site, counted: Counted, files: CountingFiles, query: str
) -> None:
    files.read = 0
    text = page_of(site, f"datasets/file-large/rows?{query}")
    assert text.count("<article") == (1 if "text" in query else ROWS_PER_PAGE)
    assert counted.queries == 1
    assert files.read < 1_000_000


def test_a_search_in_half_a_million_rows_reads_them_at_most_once(
    site: Site, counted: Counted, files: CountingFiles
) -> None:
    files.read = 0
    assert "No row is like that" in page_of(site, "datasets/file-large/rows?text=nowhere")
    assert counted.queries == 1
    assert files.read <= 60_000_000


def test_the_lists_of_templates_take_a_fixed_number_of_queries(site: Site, data: DataPages, counted: Counted) -> None:
    secret = site.keyring.create("writer", ("train",))
    person = site.keyring.authenticate(f"Bearer {secret}").person
    for number in range(60):
        at_once(data.templates.publish(person, PromptTemplate(name=f"t{number}", version=1), None))
    counted.queries = 0
    url = f"{site.url}/console/ingest/templates/"
    text = httpx.get(url, headers={"authorization": f"Bearer {secret}"}).raise_for_status().text
    assert text.count('<tr><th scope="row">') == TEMPLATES_PER_PAGE
    assert counted.queries == 2
