"""A job's own template: its rows are rendered as the served version is asked, byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.gateway.inference.domain import chat_request
from services.gateway.inference.domain.prompt_template import applied
from shared.events import (
    DatasetRendered,
    PromptTemplate,
    TemplateRef,
    TrainingRequested,
    TrainingSpec,
)
from tests.gateway import candidate
from tests.ingest import Ingest

ASKED = PromptTemplate(name="support", version=1, system="你是客服。", user="地点：{place}\n问题：{input}")
HEADER = "问题,答案,place"
ROWS = [f'"{{input}} {n * 7919} 怎么退货，用“标签”{n}",标签{n},第{n}店' for n in range(40)]


class Service(Ingest):
    """Ingest with one file and its jobs."""

    async def add_file(self, rows: list[str], header: str = HEADER) -> None:
        await self.checked("file", "\n".join([header, *rows]).encode(), drop_bad_rows=True)
        await self.renderings.file_checked("file")

    async def request(self, job_id: str = "job", template: str = "support", version: int = 1) -> None:
        spec = TrainingSpec(base_model="base", template=TemplateRef(name=template, version=version))
        await self.renderings.requested(
            TrainingRequested(job_id=job_id, training_file="file", spec=spec, owner="key_1")
        )

    async def done(self, job_id: str = "job") -> DatasetRendered | None:
        found = await self.asked.get(f"{job_id}/file")
        assert found is not None
        return found.done

    def rendered(self, event: DatasetRendered) -> list[dict[str, Any]]:
        assert event.splits is not None
        splits = (event.splits.train, event.splits.validation, event.splits.test)
        lines = [self.artifacts.read(split.artifact).splitlines() for split in splits]
        assert [split.rows for split in splits] == [len(each) for each in lines]
        return [json.loads(line) for each in lines for line in each]


@pytest.fixture
async def service(tmp_path: Path) -> Service:
    made = Service(tmp_path)
    await made.templates.publish("key_1", ASKED, None)
    return made


@pytest.mark.parametrize("job_first", [True, False])
async def test_a_jobs_template_renders_the_rows_as_requests_are_rendered(service: Service, job_first: bool) -> None:
    if job_first:
        await service.request()
        assert await service.done() is None
    await service.add_file(ROWS)
    if not job_first:
        await service.request()
    event = await service.done()
    assert event is not None
    assert event.template is not None
    rows = service.rendered(event)
    assert len(rows) == len(ROWS)
    served_by = candidate("job").model_copy(update={"template": event.template})
    for row in rows:
        number = row["messages"][-1]["content"].removeprefix("标签")
        asked = {
            "model": "m",
            "messages": [{"role": "user", "content": f"{{input}} {int(number) * 7919} 怎么退货，用“标签”{number}"}],
            "template_fields": {"place": f"第{number}店"},
        }
        served = json.loads(applied(chat_request.admit(asked, 16), served_by).addressed_to("v-1"))["messages"]
        assert _bytes(served) == _bytes(row["messages"][:-1])


def _bytes(messages: list[dict[str, Any]]) -> bytes:
    return json.dumps(messages, ensure_ascii=False, sort_keys=True).encode()


async def test_a_row_without_a_field_of_the_template_is_named_by_its_line(service: Service) -> None:
    await service.add_file([*ROWS[:12], "你好 123？,标签99,", *ROWS[12:]])
    await service.request()
    event = await service.done()
    assert event is not None
    assert event.error is not None
    assert event.error.message == "line 14 has no field 'place', which the template needs"


async def test_an_unknown_template_and_one_of_another_owner_are_refused(service: Service) -> None:
    await service.templates.publish("key_2", ASKED.model_copy(update={"name": "secret"}), None)
    await service.add_file(ROWS)
    for job_id, name, version in (("one", "secret", 1), ("two", "support", 7)):
        await service.request(job_id, name, version)
        event = await service.done(job_id)
        assert event is not None
        assert event.error is not None
        assert event.error.code == "unknown_template"


async def test_a_template_on_rows_that_are_not_conversations_is_refused(service: Service) -> None:
    await service.add_file([f"第{n * 7919}篇文章" for n in range(40)], "text")
    await service.request()
    event = await service.done()
    assert event is not None
    assert event.error is not None
    assert event.error.code == "template_for_other_kind"


async def test_a_job_whose_file_is_deleted_before_its_check_does_not_wait(service: Service) -> None:
    await service.request()
    assert await service.done() is None
    await service.renderings.file_deleted("file")
    done = await service.done()
    assert done is not None
    assert done.error is not None
    assert done.error.code == "file_deleted"
