"""Question sets: tables read as text, revisions, and the review of a checkpoint that answered one."""

import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from services.review.ownership import Caller, NotOwner
from services.review.panels.answer_requests import AnswerRequests, Asked
from services.review.panels.app import Records
from services.review.policies.domain.policy import Policy
from services.review.questions.api import BadAnswer
from services.review.questions.catalog import QuestionCatalog
from services.review.questions.domain.question_set import BadQuestions, Question, QuestionSet, Revision
from services.review.questions.domain.table import read_questions
from services.review.runs.domain.run import Run
from shared.artifacts import Artifacts
from shared.events import EvaluationAnswered, Failure
from shared.store import MemoryStore
from tests.unit.review.evidence import evaluation

ANA, BEN = Caller(id="ana"), Caller(id="ben")
TABLE = 'id;prompt;expected;tags;answer;score.accuracy\n007;"What; is\n1E5?";1E5;"a, b";x;4\n2031-02-03;b;;;;\n'


def test_a_csv_is_read_as_text_whatever_its_delimiter_is() -> None:
    first, second = read_questions(TABLE.encode("utf-8-sig"), "csv")
    assert (first.id, first.prompt, first.expected, first.tags) == ("007", "What; is\n1E5?", "1E5", ("a", "b"))
    assert (first.answer, first.scores) == ("x", {"accuracy": 4})
    assert (second.id, second.answer, second.scores) == ("2031-02-03", None, {})
    assert read_questions(TABLE.replace(";", "\t").encode(), "csv")[1].id == "2031-02-03"


def test_an_excel_file_and_json_lines_are_read_too() -> None:
    book = Workbook()
    assert book.active is not None
    for row in (["id", "question", "reference"], ["007", "a", "=1+1"], [None, 42, 1.5]):
        book.active.append(row)
    book.active["C2"].data_type = "s"
    content = io.BytesIO()
    book.save(content)
    first, second = read_questions(content.getvalue(), "xlsx")
    assert (first.id, first.expected) == ("007", "=1+1")
    assert (second.id, second.prompt, second.expected) == ("q-2", "42", "1.5")
    lines = '{"question": "a\u2028b", "id": "1"}\n{"prompt": [{"role": "user", "content": "c"}]}\n'.encode()
    assert [each.messages[-1]["content"] for each in read_questions(lines, "jsonl")] == ["a\u2028b", "c"]


@pytest.fixture
def usual_csv() -> Iterator[None]:
    """Ingest and evaluator raise the limit of a field in their own processes."""
    before = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("usual_csv")
@pytest.mark.parametrize(
    ("content", "format", "row", "column"),
    [
        (b"id,answer\n1,a\n", "csv", 0, "prompt"),
        (b"prompt,mood\na,b\n", "csv", 0, "mood"),
        (b"id,prompt\n1,a\n1,b\n", "csv", 2, "id"),
        (b"id,prompt\n1,\n", "csv", 1, "prompt"),
        (b"prompt,score.accuracy\na,\xe2\x85\xa3\n", "csv", 1, "score.accuracy"),
        (b'{"prompt": "a"}\n{oops\n', "jsonl", 2, ""),
        (b'{"prompt": "a", "mood": 1}\n', "jsonl", 1, "mood"),
        (b"", "jsonl", 0, ""),
        (b"PK", "xlsx", 0, ""),
        (b"prompt\n\xff\n", "csv", 0, ""),
        (b'{"prompt": "a"}\n{"prompt": ""}\n', "jsonl", 2, "prompt"),
        (b'{"prompt": []}\n', "jsonl", 1, "prompt"),
        (b"prompt\n" + b"x" * 300_000 + b"\n", "csv", 0, ""),
        (b"prompt,score.accuracy\na," + b"9" * 5000 + b"\n", "csv", 1, "score.accuracy"),
        (b"[" * 100_000, "jsonl", 1, ""),
        (b'{"prompt":' + b'{"a":' * 100_000, "jsonl", 1, ""),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_row_and_column(content, format, row, column) -> None:
    with pytest.raises(BadQuestions) as refused:
        read_questions(content, format)
    assert (refused.value.errors[0]["row"], refused.value.errors[0]["column"]) == (row, column)


@pytest.fixture
def catalog(tmp_path: Path) -> QuestionCatalog:
    store = MemoryStore("review")
    return QuestionCatalog(sets=store.collection("sets", QuestionSet), files=Artifacts(str(tmp_path)))


@pytest.mark.parametrize("prompt", ["", []])
def test_a_bad_answer_without_a_prompt_is_refused(prompt) -> None:
    with pytest.raises(ValidationError):
        BadAnswer(prompt=prompt, answer="a")


async def test_a_set_has_revisions_and_only_its_owner_changes_it(catalog: QuestionCatalog) -> None:
    questions = [Question(id="1", prompt="a")]
    await catalog.put("shop", questions, ("*",), ANA)
    assert (await catalog.put("shop", questions, ("*",), ANA)).newest.number == 1
    added = await catalog.add("shop", Question(id="2", prompt="b", answer="bad"), ANA)
    assert (added.newest.number, added.newest.count, added.newest.author) == (2, 2, "ana")
    with pytest.raises(NotOwner):
        await catalog.put("shop", questions, ("*",), BEN)


async def test_a_question_is_added_to_what_was_saved_last(catalog: QuestionCatalog) -> None:
    def question(name: str) -> Question:
        return Question(id=name, prompt="a")

    async def other() -> None:
        await catalog.put("shop", [question("imported")], ("*",), ANA)
        await catalog.add("shop", question("other"), ANA)

    @dataclass(frozen=True)
    class Interrupted(QuestionCatalog):
        """Lets other changes happen between its first reading and the writing that follows."""

        others: list[Callable[[], Awaitable[None]]] = field(default_factory=lambda: [other])

        async def questions(self, revision: Revision) -> list[Question]:
            found = await super().questions(revision)
            while self.others:
                await self.others.pop()()
            return found

    await catalog.put("shop", [question("first")], ("*",), ANA)
    added = await Interrupted(sets=catalog.sets, files=catalog.files).add("shop", question("mine"), ANA)
    assert [each.id for each in await catalog.questions(added.newest)] == ["imported", "other", "mine"]
    assert added == await catalog.get("shop", ANA)


async def test_a_review_of_a_question_set_opens_with_the_answers_and_the_sets_own_ids(
    catalog: QuestionCatalog, tmp_path: Path
) -> None:
    questions = [Question(id=one, prompt=f"q{one}", expected="r") for one in ("007", "1E5", "2031-02-03")]
    await catalog.put("shop", questions, ("*",), ANA)
    store, files = MemoryStore("review"), Artifacts(str(tmp_path))
    records = Records.of(store)
    answer_requests = AnswerRequests(
        opening=records.opening(files),
        asked=store.collection("asked", Asked),
        questions=catalog.asked,
        files=files,
    )
    policy = Policy.model_validate({"name": "p", "mode": "human", "questions": "shop"})
    run, done = Run(job_id="job-1", policy=policy, policy_name="p"), evaluation(10, 0.9)
    assert await answer_requests.open(run, done) is None
    assert await answer_requests.open(run, done) is None, "asked once"
    [[_, _, [request]]] = await store.unsent_events()
    assert request.type == "evaluation.requested"
    name = done.candidate.model_name
    rows = [{"prompt": [], "reference": "r", "answers": {name: f"a{n}"}, "scores": {}} for n in range(3)]
    samples = files.put_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    event = EvaluationAnswered(evaluation_id=request.data["evaluation_id"], samples=samples)
    assert await answer_requests.answered(event) == ("job-1", None)
    items = {each.item.id: each.item.answer for each in await records.items.find()}
    assert items == {"007": "a0", "1E5": "a1", "2031-02-03": "a2"}
    failed = event.model_copy(update={"error": Failure(code="engine_away", message="the engine is away")})
    assert await answer_requests.answered(failed) == ("job-1", "its questions were not answered: the engine is away")
    assert await answer_requests.answered(event.model_copy(update={"evaluation_id": "another"})) is None
    missing = policy.model_copy(update={"questions": "none"})
    assert (
        await answer_requests.open(run.model_copy(update={"policy": missing}), done)
        == "there is no question set 'none'"
    )
