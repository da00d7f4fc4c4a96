"""Training rows that contain a suite's questions are reported before any training."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.ingest.suites.overlaps import KnownSuite
from services.ingest.suites.questions import SuiteQuestion
from shared.events import SuiteDeleted, SuiteOverlap, SuitePublished
from tests.ingest import Ingest
from tests.prepared import Checked, chat, check, filler, jsonl

QUESTION = "Which street leads from the old harbour to the market square?"
CHINESE = "从老港口到集市广场的是哪条街？"


def compared(rows: list[dict], *questions: str) -> Checked:
    suite = KnownSuite("shop", 3, [SuiteQuestion("faq", text) for text in questions])
    # Without validation and test nearly all rows train, so the planted ones do.
    return check(jsonl(rows), suites=[suite])


def planted(question: str) -> list[dict]:
    """Rows of which ten ask a question with other words around it, so that some train whatever the split."""
    return [*(chat(f"Question {n}, for you: {question} Thanks.", f"a{n}") for n in range(10)), *filler(40)]


@pytest.mark.parametrize("question", [QUESTION, CHINESE])
def test_rows_that_contain_a_question_are_reported_with_twin_and_similarity(question: str) -> None:
    checked = compared(planted(question), question, "What is the colour of the town hall's roof?")
    [report] = checked.report.suites
    trained = sum(question in row["messages"][0]["content"] for row in checked.splits["train"])
    assert trained > 0
    assert (report.suite, report.revision, report.questions, report.seen, report.rows) == ("shop", 3, 2, 1, trained)
    assert {twin.question for twin in report.twins} == {question}
    assert all(0.8 <= twin.similarity <= 1 for twin in report.twins)
    notices = [one for one in checked.findings if one["code"] == "in_suite"]
    assert len(notices) == trained
    assert all("'shop'" in one["reason"] and question in one["reason"] and one["line"] for one in notices)
    assert checked.prepared.index is not None
    assert int(((checked.prepared.index.flags & 8) > 0).sum()) == trained


def test_a_near_question_is_found_and_one_about_another_thing_is_not() -> None:
    asked = chat(QUESTION.replace("the old harbour", "the old harbour's"), "Mill Lane")
    other = chat(QUESTION.replace("harbour", "station"), "Elm Road")
    found = compared([asked, other, *filler(40)], QUESTION).report.suites[0]
    assert [twin.line for twin in found.twins] == [1]


def test_dialogues_that_end_in_the_same_short_question_are_not_seen() -> None:
    def dialogue(lamp: int) -> dict:
        said = [
            f"Tell me about lamp {lamp}.",
            f"Lamp {lamp} has {lamp + 2} bulbs.",
            "And what does it cost then?",
            "20",
        ]
        roles = ("user", "assistant", "user", "assistant")
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]}

    asked = "\n".join(one["content"] for one in dialogue(500)["messages"][:3])
    assert compared([dialogue(n) for n in range(40)], asked).report.suites[0].seen == 0


def test_the_rows_of_other_splits_are_not_reported() -> None:
    rows = filler(60)
    held = [row["messages"][0]["content"] for row in check(jsonl(rows)).splits["test"]]
    assert compared(rows, *held).report.suites[0].seen == 0


class Service(Ingest):
    """Ingest with suites from facts."""

    async def publish(self, name: str, revision: int, content: dict, owner: str = "") -> None:
        stored = self.artifacts.put_bytes(json.dumps(content).encode())
        await self.suites.published(SuitePublished(name=name, revision=revision, content=stored, owner=owner, at=1))

    async def questions(self, owner: str) -> list[tuple[str, int, int]]:
        return [(one.id, one.number, one.count) for one in await self.suites.compared_with(owner)]

    async def overlaps(self, file_id: str, rows: Sequence[object]) -> tuple[SuiteOverlap, ...]:
        found = await self.checked(file_id, jsonl(rows), filename="r.jsonl")
        assert found.ready is not None
        return found.ready.suites


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def task(*questions: str, **others: object) -> dict:
    return {"name": "faq", "data": {"rows": [{"question": one, "answer": "a"} for one in questions]}, **others}


async def test_questions_come_from_rows_and_from_tables_of_each_format(service: Service) -> None:
    table = service.artifacts.put_bytes(f"frage,answer\n{QUESTION},a\n{CHINESE},b\n".encode())
    stored = {"artifact": table.model_dump(), "format": "csv"}
    columns = {"question": "frage"}
    tasks = [task(QUESTION), {"name": "t", "data": stored, "columns": columns}, {"name": "mmlu", "lm_eval": {}}]
    await service.publish("shop", 1, {"tasks": tasks})
    assert await service.questions("key_1") == [("shop", 1, 3)]


async def test_only_the_newest_revision_counts_and_a_deleted_suite_does_not(service: Service) -> None:
    await service.publish("shop", 2, {"tasks": [task(QUESTION)]})
    await service.publish("shop", 1, {"tasks": [task("a", "b", "c")]})
    assert await service.questions("key_1") == [("shop", 2, 1)]
    await service.suites.deleted(SuiteDeleted(name="shop", revision=2, author="k", at=2))
    assert await service.questions("key_1") == []
    await service.publish("shop", 3, {"tasks": [task("a", "b")]})
    assert await service.questions("key_1") == [("shop", 3, 2)]


async def test_rows_are_compared_with_the_suites_that_their_owner_may_read(service: Service) -> None:
    await service.publish("secret", 1, {"tasks": [task(QUESTION)]}, owner="key_2")
    await service.publish("shared", 1, {"tasks": [task(QUESTION)], "readers": ["key_1"]}, owner="key_2")
    await service.publish("damaged", 1, {"tasks": [{"data": {"artifact": {"uri": "x"}}}]})
    [overlap] = await service.overlaps("file-1", planted(QUESTION))
    assert (overlap.suite, overlap.revision, overlap.questions) == ("shared", 1, 1)
    assert overlap.rows > 1
    assert await service.overlaps("file-2", filler(40)) == ()
