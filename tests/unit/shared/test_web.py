"""What every service's HTTP application answers."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request, get, post
from litestar.params import JSONBody
from litestar.testing import TestClient
from pydantic import BaseModel
from pymongo.errors import ServerSelectionTimeoutError

from shared import web
from shared.artifacts import ArtifactStoreAway
from shared.security import Keyring
from shared.settings import CommonSettings, ServiceSettings


class Size(BaseModel):
    value: int


class Full(Exception):
    """An error that the service handles itself."""


@get("/fails/{kind:str}", sync_to_thread=False)
def fails(kind: str) -> None:
    if kind == "content":
        Size.model_validate({"value": "many"})
    errors: dict[str, Exception] = {
        "missing": web.NotFound("no file 'x'"),
        "away": ServerSelectionTimeoutError("no server"),
        "artifacts": ArtifactStoreAway("/srv/artifacts is not there"),
        "bug": KeyError("secret detail"),
        "full": Full("at most 3"),
    }
    raise errors[kind]


@get("/sized", sync_to_thread=False)
def sized(size: int) -> int:
    return size


@post("/sizes", sync_to_thread=False)
def sizes(data: JSONBody[Size]) -> int:
    return data.value


@post("/form")
async def form(request: Request[Any, Any, Any]) -> int:
    return len(await request.form())


@get("/guarded", guards=[web.allow("train")], sync_to_thread=False)
def guarded() -> str:
    return "in"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys.json")


@pytest.fixture
def client(keyring: Keyring) -> TestClient[Litestar]:
    app = web.build(
        "example",
        ServiceSettings(common=CommonSettings(keys_file=keyring.path)),
        [fails, sized, sizes, form, guarded],
        checks={},
        dependencies={},
        exception_handlers={Full: lambda _request, error: web.problem(409, "Full", str(error), limit=3)},
    )
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("path", "status", "title", "detail"),
    [
        ("/fails/missing", 404, "Not found", "no file 'x'"),
        ("/fails/away", 503, "Unavailable", "try again: no server"),
        ("/fails/artifacts", 503, "Unavailable", "try again: the artifact store cannot be reached"),
        ("/fails/content", 400, "Bad request", "the request's content is not valid"),
        ("/sized?size=big", 400, "Bad request", "Validation failed for GET /sized?size=big"),
        ("/unknown", 404, "NotFoundException", "Not Found"),
        ("/guarded", 401, "Not authenticated", "send your API key in a header 'Authorization: Bearer <key>'"),
        ("/fails/full", 409, "Full", "at most 3"),
    ],
)
def test_an_error_is_a_problem_with_its_reason(client, path: str, status: int, title: str, detail: str) -> None:
    response = client.get(path)
    problem: dict[str, Any] = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["type"], problem["title"]) == ("about:blank", title)
    assert problem["detail"].startswith(detail)


def test_invalid_content_names_its_fields(client: TestClient[Litestar]) -> None:
    [error] = client.get("/fails/content").json()["errors"]
    assert error["field"] == "value"
    [error] = client.get("/sized?size=big").json()["errors"]
    assert error["key"] == "size"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b'{"value":"\xed\xa0\x80"}', b"\xff\xfe", b"{"]
)
def test_a_body_that_is_not_json_is_refused(client: TestClient[Litestar], body: bytes) -> None:
    answer = client.post("/sizes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=nope"])
def test_a_field_without_the_encoding_that_it_names_is_refused(client: TestClient[Litestar], content_type: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: {content_type}\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/form", content=head.encode() + b"a\r\n--x--", headers=headers).status_code in (201, 400)
    answer = client.post("/form", content=head.encode() + b"\xff\r\n--x--", headers=headers)
    assert (answer.status_code, answer.json()["detail"][:23]) == (400, "the form cannot be read")


@pytest.mark.parametrize(("needed", "status"), [(["engines"], 200), (["mongo"], 503), (["engines", "mongo"], 503)])
def test_requests_do_not_wait_for_dependencies_that_only_events_need(
    keyring: Keyring, needed: list[str], status: int
) -> None:
    async def answers() -> None:
        """The engines are there."""

    async def is_away() -> None:
        raise ConnectionError("secret address")

    settings = ServiceSettings(common=CommonSettings(keys_file=keyring.path))
    checks = {"engines": answers, "mongo": is_away}
    app = web.build("example", settings, [], checks=checks, dependencies={}, needed_by_requests=needed)
    client = TestClient(app)
    assert client.get("/readyz").status_code == 503
    answer = client.get("/readyz/requests")
    assert (answer.status_code, "secret" in answer.text) == (status, False)


def test_an_unexpected_error_hides_its_detail(client: TestClient[Litestar]) -> None:
    response = client.get("/fails/bug")
    assert response.status_code == 500
    assert "secret detail" not in response.text
    assert response.headers["x-request-id"]


def test_errors_say_when_and_how_to_try_again(client: TestClient[Litestar]) -> None:
    assert client.get("/fails/away").headers["retry-after"] == "2"
    assert client.get("/guarded").headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_refused(client: TestClient[Litestar], keyring: Keyring) -> None:
    reviewer, trainer = keyring.create("r", ("review",)), keyring.create("t", ("train",))
    refused = client.get("/guarded", headers={"authorization": f"Bearer {reviewer}"})
    assert (refused.status_code, refused.json()["title"]) == (403, "Not allowed")
    assert client.get("/guarded", headers={"authorization": f"Bearer {trainer}"}).status_code == 200


@pytest.mark.parametrize("path", ["", "/swagger", "/redoc", "/elements", "/rapidoc"])
def test_no_schema_page_loads_scripts_from_elsewhere(client: TestClient[Litestar], path: str) -> None:
    assert "<script" not in client.get(f"/schema{path}").text
    assert client.get("/schema/openapi.json").json()["info"]["title"] == "Assay example"
