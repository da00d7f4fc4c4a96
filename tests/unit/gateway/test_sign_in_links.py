"""`POST /v1/sign_in_links`: no body asks for a link of one's own; a body that is not an object is refused."""

from pathlib import Path

import pytest
from litestar.testing import TestClient

from services.gateway.common.api import error_responses
from services.gateway.console.api import sign_in_links
from services.gateway.console.service.sign_in_links import SignInLinks
from shared import web
from shared.security import Keyring
from shared.settings import CommonSettings, ServiceSettings
from tests.browser.site import MemorySessionStore


@pytest.mark.parametrize(("body", "status"), [("", 201), ("{}", 201), ("[]", 400), ('""', 400), ("null", 400)])
def test_only_an_object_or_no_body_asks_for_a_link(tmp_path: Path, body: str, status: int) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    app = web.build(
        "gateway",
        ServiceSettings(common=CommonSettings(keys_file=keyring.path)),
        [sign_in_links.routes],
        checks={},
        dependencies={"sign_in_links": SignInLinks(store=MemorySessionStore(), keyring=keyring)},
        exception_handlers=error_responses.HANDLERS,
    )
    headers = {"authorization": f"Bearer {keyring.create('ana', ('train',))}"}
    answer = TestClient(app).post("/v1/sign_in_links", content=body, headers=headers)
    assert answer.status_code == status
    assert ("error" in answer.json()) == (status == 400)
