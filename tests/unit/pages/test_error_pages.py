"""Each error below /console/ is a page, whatever the application answers elsewhere."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.params import FromPath, FromQuery
from litestar.testing import TestClient
from pydantic import BaseModel
from pymongo.errors import ServerSelectionTimeoutError

from services.gateway.common.api import error_responses
from shared import web
from shared.artifacts import ArtifactStoreAway
from shared.pages import error_pages, pages_router
from shared.security import Keyring
from shared.settings import CommonSettings, ServiceSettings
from shared.store import CursorError
from tests.browser import gallery


class Size(BaseModel):
    value: int


@get("/fails/{kind:str}", sync_to_thread=False)
def fails(kind: FromPath[str], size: FromQuery[int] = 0) -> None:
    if kind == "content":
        Size.model_validate({"value": "many"})
    errors: dict[str, Exception] = {
        "away": ServerSelectionTimeoutError("no server"),
        "artifacts": ArtifactStoreAway("/srv/artifacts is not there"),
        "cursor": CursorError("'after' is not an entry", "after"),
    }
    raise errors[kind]


@pytest.fixture(params=["problems", "gateway"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> TestClient[Litestar]:
    keyring = Keyring(tmp_path / "keys.json")
    app = web.build(
        "example",
        ServiceSettings(common=CommonSettings(keys_file=keyring.path)),
        [pages_router("/console/example", [fails], gallery.PAGES)],
        checks={},
        dependencies={},
        exception_handlers=error_responses.HANDLERS if request.param == "gateway" else {},
        page_errors=error_pages(gallery.PAGES),
    )
    client = TestClient(app, raise_server_exceptions=False)
    client.headers["authorization"] = f"Bearer {keyring.create('ana', ('train',))}"
    return client


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/console/example/fails/cursor?size=many", 400, "size: "),
        ("/console/example/fails/content", 400, "value: Input should be a valid integer"),
        ("/console/example/fails/cursor", 400, "is not an entry"),
        ("/console/example/fails/away", 503, "no server"),
        ("/console/example/fails/artifacts", 503, "the artifact store cannot be reached"),
        ("/console/example/nowhere", 404, "there is no page at this address"),
        ("/console/example/fails/a%2Fb", 404, "there is no page at this address"),
        ("/console/nowhere", 404, "there is no page at this address"),
    ],
)
def test_an_error_is_a_page(client: TestClient[Litestar], path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert words in answer.text
    assert "/srv/artifacts" not in answer.text


def test_a_method_that_a_page_does_not_take_is_refused_with_a_page(client: TestClient[Litestar]) -> None:
    answer = client.post("/console/example/fails/away")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")


def test_unknown_addresses_outside_the_console_are_answered_with_json(client: TestClient[Litestar]) -> None:
    answer: Any = client.get("/v1/nowhere")
    assert (answer.status_code, answer.json().keys() & {"error", "detail"} != set()) == (404, True)
