"""Forms of suites that no browser sends are refused, and nothing is saved."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.evaluator.pages.routes import routes
from shared.security import Keyring
from shared.settings import CommonSettings, ServiceSettings
from shared.web import build
from tests.browser.evaluator_data import FAQ, EvaluatorData
from tests.browser.without_deadline import without_deadline

EDIT = "/console/evaluator/suites/shop/edit?task=faq"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    keyring = Keyring(tmp_path / "keys.json")
    data = EvaluatorData(tmp_path)
    settings = ServiceSettings(common=CommonSettings(keys_file=keyring.path))
    use_cases = data.provide(keyring, None)  # type: ignore[arg-type]
    client = TestClient(build("evaluator", settings, [routes], checks={}, dependencies=use_cases))
    client.headers["authorization"] = f"Bearer {keyring.create('ana', ('train',))}"
    rows = {"name": "shop", "task": "faq", "column": ["question", "answer"], "metrics": "fuzzy", "weight": "1"}
    cells = {"cell-0": [row["question"] for row in FAQ], "cell-1": [row["answer"] for row in FAQ]}
    with without_deadline():
        made = client.post("/console/evaluator/suites/new", data={**rows, **cells}, follow_redirects=False)
        assert made.status_code == 303, made.text
        yield client


@pytest.mark.parametrize("revision", ["", "many", "1.5", "²", "9" * 5000])
def test_a_form_without_the_revision_that_it_changes_is_shown_again(
    client: TestClient[Litestar], revision: str
) -> None:
    answer = client.post(EDIT, data={"revision": revision, "cell-0": ["a"], "cell-1": ["b"]})
    assert answer.status_code == 422
    assert "That was not saved" in answer.text


def test_a_form_whose_rows_lack_cells_is_refused(client: TestClient[Litestar]) -> None:
    answer = client.post(EDIT, data={"revision": "1", "cell-0": ["a", "b"], "cell-1": ["a"]})
    assert answer.status_code == 400
    assert "each row must have a cell for each column" in answer.text
