"""Suites by HTTP: owners, readers, revisions, deletion, pinned revisions, published events, and checks of tables."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.evaluator.config import Settings
from services.evaluator.suites import api as suites_api
from services.evaluator.suites.domain.suite import SuiteContent
from services.evaluator.suites.domain.suite_errors import TooManySuites
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from services.evaluator.suites.service.suite_publication import publish_folder_suites
from services.ingest.suites.questions import questions_of
from shared import web
from shared.artifacts import Artifacts
from shared.events import SuiteDeleted, SuitePublished
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, suite_catalog

ROWS = [{"question": f"What is number {n}?", "answer": f"n{n}"} for n in range(3)]


def content(metric: str = "exact_match", **more: Any) -> dict[str, Any]:
    return {"tasks": [{"name": "faq", "data": {"rows": ROWS}, "metrics": [metric]}], **more}


@dataclass
class Service:
    http: httpx.AsyncClient
    store: MemoryStore
    catalog: SuiteCatalog
    headers: dict[str, dict[str, str]]
    ids: dict[str, str]

    async def call(self, who: str, method: str, path: str, **request: Any) -> httpx.Response:
        return await self.http.request(method, f"/v1/suites{path}", headers=self.headers[who], **request)

    async def events(self) -> list[Any]:
        return [event for _name, _id, events in await self.store.unsent_events() for event in events]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    store, files = MemoryStore("evaluator"), Artifacts(str(tmp_path / "artifacts"))
    catalog = suite_catalog(store, files)
    app = web.build(
        "evaluator",
        Settings(common=CommonSettings(keys_file=tmp_path / "keys.json")),
        [suites_api.routes],
        checks={},
        dependencies={"suite_catalog": catalog},
        exception_handlers=suites_api.problems,
    )
    keyring = Keyring(tmp_path / "keys.json")
    scopes = {"owner": "train", "other": "train", "admin": "admin"}
    headers = {who: {"authorization": f"Bearer {keyring.create(who, (scope,))}"} for who, scope in scopes.items()}
    ids = {key.name: key.id for key in keyring.keys()}  # noqa: SIM118
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://evaluator") as http:
        made = Service(http, store, catalog, headers, ids)
        assert (await made.call("owner", "PUT", "/shop", json=content())).status_code == 200
        yield made


async def test_another_key_cannot_read_replace_or_delete_a_suite(service: Service) -> None:
    assert (await service.call("other", "GET", "/shop")).status_code == 404
    assert (await service.call("other", "GET", "")).json() == ["general"]
    replaced = await service.call("other", "PUT", "/shop", json=content("fuzzy"))
    assert (replaced.status_code, "belongs to another key" in replaced.json()["detail"]) == (403, True)
    table = await service.call("other", "PUT", "/shop/tasks/faq/table?format=csv", content=b"question,answer\nq,a\n")
    assert table.status_code == 403
    assert (await service.call("other", "DELETE", "/shop")).status_code == 404
    found = (await service.call("owner", "GET", "/shop")).json()
    assert (found["revision"], found["tasks"][0]["metrics"]) == (1, ["exact_match"])


async def test_a_reader_may_read_but_not_change_and_admin_may_do_both(service: Service) -> None:
    shared = content(readers=[service.ids["other"]])
    assert (await service.call("owner", "PUT", "/shop", json=shared)).json()["revision"] == 2
    assert (await service.call("other", "GET", "/shop")).status_code == 200
    assert (await service.call("other", "GET", "")).json() == ["general", "shop"]
    assert (await service.call("other", "DELETE", "/shop")).status_code == 403
    changed = (await service.call("admin", "PUT", "/shop", json=content("fuzzy"))).json()
    assert (changed["revision"], changed["owner"]) == (3, service.ids["owner"])
    authors = [(each["revision"], each["author"]) for each in changed["revisions"]]
    assert authors == [(1, service.ids["owner"]), (2, service.ids["owner"]), (3, service.ids["admin"])]
    assert all(each["at"] > 0 for each in changed["revisions"])


async def test_a_deleted_suite_is_hidden_from_new_jobs_and_stays_for_jobs_that_use_it(service: Service) -> None:
    owner = service.ids["owner"]
    [before] = await service.catalog.plans("job-1", "shop", owner)
    await service.call("owner", "PUT", "/shop", json=content("fuzzy"))
    assert (await service.call("owner", "DELETE", "/shop")).status_code == 204
    assert (await service.call("owner", "GET", "/shop")).status_code == 404
    assert (await service.call("owner", "DELETE", "/shop")).status_code == 404
    assert (await service.call("owner", "GET", "")).json() == ["general"]
    assert await service.catalog.plans("job-1", "shop", owner) == [before]
    [other_job] = await service.catalog.plans("job-2", "shop", owner)
    assert other_job.tasks[0].failure is not None
    assert other_job.tasks[0].failure.code == "unknown_suite"
    again = (await service.call("owner", "PUT", "/shop", json=content("bleu"))).json()
    assert again["revision"] == 3


async def test_a_job_keeps_the_revision_of_its_first_checkpoint_unless_it_names_one(service: Service) -> None:
    owner = service.ids["owner"]
    await service.catalog.plans("job-1", "shop,general", owner)
    await service.call("owner", "PUT", "/shop", json=content("fuzzy"))
    pinned, general = await service.catalog.plans("job-1", "shop,general", owner)
    [newest] = await service.catalog.plans("job-2", "shop", owner)
    [named] = await service.catalog.plans("job-3", "shop@1", owner)
    assert [plan.tasks[0].metrics for plan in (pinned, newest, named)] == [
        ("exact_match",),
        ("fuzzy",),
        ("exact_match",),
    ]
    assert pinned.tasks == named.tasks
    assert general.tasks[0].failure is None


async def test_a_job_of_a_key_that_may_not_read_a_suite_is_not_scored_on_it(service: Service) -> None:
    [plan] = await service.catalog.plans("job-1", "shop", service.ids["other"])
    assert plan.tasks[0].failure is not None
    assert plan.tasks[0].failure.code == "unknown_suite"


async def test_a_suite_of_a_folder_has_the_revision_that_was_published_and_is_not_changed_by_http(
    service: Service,
) -> None:
    before = await service.catalog.plans("job-1", "general", service.ids["owner"])
    await publish_folder_suites(service.catalog)
    general = (await service.call("owner", "GET", "/general")).json()
    assert (general["revision"], general["source"], general["owner"]) == (1, "shipped", "")
    # The job that pinned revision 0 goes on, and a suite can be named with the revision that pages show.
    assert await service.catalog.plans("job-1", "general", service.ids["owner"]) == before
    assert await service.catalog.plans("job-2", "general@1", service.ids["owner"]) == before
    [missing] = await service.catalog.plans("job-3", "general@2", service.ids["owner"])
    assert missing.tasks[0].failure is not None
    assert (await service.call("admin", "DELETE", "/general")).status_code == 422


async def test_each_change_of_a_suite_is_published(service: Service) -> None:
    await service.call("owner", "PUT", "/shop", json=content())
    await service.call("admin", "PUT", "/shop", json=content("fuzzy"))
    await service.call("owner", "DELETE", "/shop")
    await publish_folder_suites(service.catalog)
    await publish_folder_suites(service.catalog)
    sent = {(event.type, event.data["name"], event.data["revision"]): event.data for event in await service.events()}
    assert list(sent) == [
        ("suite.published", "shop", 1),
        ("suite.published", "shop", 2),
        ("suite.deleted", "shop", 2),
        ("suite.published", "general", 1),
    ]
    second = SuitePublished.model_validate(sent["suite.published", "shop", 2])
    assert (second.owner, second.author) == (service.ids["owner"], service.ids["admin"])
    stored = json.loads(service.catalog.files.read(second.content))
    assert stored["tasks"][0]["metrics"] == ["fuzzy"]
    assert SuiteDeleted.model_validate(sent["suite.deleted", "shop", 2]).author == service.ids["owner"]
    shipped = SuitePublished.model_validate(sent["suite.published", "general", 1])
    assert shipped.owner == ""
    # Ingest reads the questions, and not the files of this service.
    published = json.loads(service.catalog.files.read(shipped.content))
    questions = questions_of(published, service.catalog.files)
    assert {one.task for one in questions} == {task["name"] for task in published["tasks"]}


SEPARATORS = b'{"question": "Read this: line\\u0085two\\u2028three", "answer": "three lines"}\n'.decode(
    "unicode_escape"
)


@pytest.mark.parametrize(
    ("format", "table", "said"),
    [
        ("csv", "question;answer\nWhere is the lift?;Left\nIs there a bar?;\n", "'answer' is empty or NaN in row 2"),
        ("csv", "question,answer\nq,NaN\n", "'answer' is empty or NaN in row 1"),
        ("jsonl", '{"question": "q", "answer": ""}\n{"question": "r", "answer": "  "}\n', "NaN in row 1, 2"),
        ("json", '[{"question": "q", "answer": NaN}]', "'answer' is empty or NaN in row 1"),
        ("csv", "question;reply\nq;a\n", "row 1 lacks 'answer'; it has 'question', 'reply'"),
        ("csv", "question,answer\n", "the table has no rows"),
    ],
)
async def test_a_bad_table_is_refused_when_it_is_uploaded(service: Service, format, table, said) -> None:
    path = f"/shop/tasks/new/table?format={format}"
    refused = await service.call("owner", "PUT", path, content=table.encode())
    assert (refused.status_code, said in refused.json()["detail"]) == (422, True), refused.text
    assert (await service.call("owner", "GET", "/shop")).json()["revision"] == 1


@pytest.mark.parametrize(
    ("format", "table"),
    [
        ("csv", "question;answer\nWhere is the lift?;Left, of the desk\n"),
        ("jsonl", SEPARATORS),
        ("csv", "\ufeffquestion\tanswer\nq\ta\n"),
    ],
)
async def test_other_delimiters_and_unicode_line_separators_in_texts_are_read(service: Service, format, table) -> None:
    path = f"/shop/tasks/new/table?format={format}"
    put = await service.call("owner", "PUT", path, content=table.encode())
    assert put.status_code == 200, put.text


async def test_a_template_with_the_answer_is_refused_when_the_suite_is_put(service: Service) -> None:
    tasks = [{"name": "faq", "data": {"rows": ROWS}, "prompt": "{{ answer }}"}]
    refused = await service.call("owner", "PUT", "/shop", json={"tasks": tasks})
    assert (refused.status_code, "no column 'answer'" in refused.json()["detail"]) == (422, True)


async def test_a_suite_above_the_limit_of_the_key_is_refused_and_a_deleted_one_makes_room(tmp_path: Path) -> None:
    store, files = MemoryStore("evaluator"), Artifacts(str(tmp_path / "artifacts"))
    catalog = suite_catalog(store, files)
    author = AUTHOR.model_copy(update={"max_suites": 1})
    suite = SuiteContent(tasks=tuple(content()["tasks"]))
    await catalog.put("one", suite, author)
    await catalog.put("one", suite.model_copy(update={"description": "changed"}), author)
    await catalog.put("of-another", suite, AUTHOR.model_copy(update={"id": "key_other"}))
    with pytest.raises(TooManySuites, match="You have 1 suites, and this API key allows 1"):
        await catalog.put("two", suite, author)
    await catalog.delete("one", author)
    await catalog.put("two", suite, author)


async def test_the_api_answers_403_for_a_suite_above_the_limit(service: Service) -> None:
    object.__setattr__(service.catalog, "max_suites", 1)
    refused = await service.call("owner", "PUT", "/second", json=content())
    assert refused.status_code == 403
    assert "max_suites" in refused.json()["detail"]
    assert (await service.call("owner", "PUT", "/shop", json=content("fuzzy"))).status_code == 200
