"""Explanations: the nearest training rows, with a real artifact store and over HTTP."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from services.evaluator.config import Settings
from services.evaluator.evaluation.adapters.tfidf_search import MAX_TRAINING_MIB, MIB, TfidfSearch
from services.evaluator.evaluation.api import evaluations as evaluations_api
from services.evaluator.evaluation.api import explanations as explaining_api
from services.evaluator.evaluation.domain.training_row import NotExplained, question_and_answer
from services.evaluator.evaluation.service.explanations import Explanations
from services.evaluator.scoring.domain.item import Item
from shared import web
from shared.artifacts import Artifacts
from shared.events import Artifact, Candidate, CheckpointSaved, Split, TrainingMetrics
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.evaluator import evaluations_over

TRAINING = [
    ("How long does delivery take?", "Three working days."),
    ("Can I return shoes?", "Yes, within thirty days, unworn."),
    ("Which towns do you deliver to?", "To all of Norway."),
    ("运费是多少？", "满两百元免运费。"),
]


def rows(pairs: Sequence[tuple[str, str]], system: str = "You are a clerk.") -> bytes:
    said = [
        [{"role": "system", "content": system}, {"role": "user", "content": q}, {"role": "assistant", "content": a}]
        for q, a in pairs
    ]
    return b"".join(json.dumps({"messages": messages}).encode() + b"\n" for messages in said)


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    return Artifacts(str(tmp_path / "artifacts"))


def near(files: Artifacts, content: bytes, text: str, count: int = 5) -> list[tuple[int, float]]:
    return [(n.line, n.likeness) for n in TfidfSearch(files).nearest(files.put_bytes(content), text, count)]


def test_the_same_text_is_nearest_and_rows_without_common_words_are_left_out(files) -> None:
    found = near(files, rows(TRAINING), "How long does delivery take?\nThree working days.")
    assert found[0] == (1, pytest.approx(1))
    assert near(files, rows(TRAINING), "How is a delivery returned?")[0][0] == 1
    assert [line for line, _likeness in near(files, rows(TRAINING), "运费几元？")] == [4]
    assert near(files, rows(TRAINING), "Quidditch, clerk!") == near(files, rows(TRAINING), " ") == []


def test_rare_words_weigh_more_and_equal_rows_keep_their_order(files) -> None:
    content = rows([("the the", "hat"), ("the", "cat"), ("a bird", "on the hat"), ("the", "cat")])
    assert [line for line, _likeness in near(files, content, "the cat")][:2] == [2, 4]
    assert len(near(files, content, "the cat", 1)) == 1
    by_likeness = [likeness for _line, likeness in near(files, content, "the hat")]
    assert by_likeness == sorted(by_likeness, reverse=True)
    assert all(0 < likeness <= 1 for likeness in by_likeness)


def test_a_nearest_row_has_its_line_number_and_content(files) -> None:
    content = b'\n{"text": "Fjords are deep."}\n{"messages": [{"role": "user", "content": null}]}\n'
    [found] = TfidfSearch(files).nearest(files.put_bytes(content), "How deep?", 5)
    assert (found.line, found.row) == (2, {"text": "Fjords are deep."})


def test_the_index_belongs_to_one_set_of_training_rows(files) -> None:
    nearest = TfidfSearch(files)
    first, second = files.put_bytes(rows(TRAINING[:2])), files.put_bytes(rows(TRAINING[2:]))
    lines = [[found.line for found in nearest.nearest(each, "Norway", 5)] for each in (first, second, first)]
    assert lines == [[], [1], []]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "have no words"),
        (b'{"text": "?!"}\n', "have no words"),
        (b'{"text": "a"}\n[1]\n', "line 2 of the training rows is unusable: TypeError"),
        (b"{oops\n", "line 1 of the training rows is unusable: JSONDecodeError"),
        (b'{"messages": [{"content": "a"}]}\n', "line 1 of the training rows is unusable: KeyError"),
    ],
)
def test_unsearchable_training_rows_are_refused_with_the_reason(files, content, said) -> None:
    with pytest.raises(NotExplained, match=said):
        near(files, content, "a")


def test_missing_or_too_large_training_rows_are_refused_with_the_reason(files) -> None:
    files.put_bytes(b"the store exists")
    gone = Artifact(uri="file:///gone", sha256="0" * 64, bytes=1)
    with pytest.raises(NotExplained, match=r"cannot be read: .*missing from the store"):
        TfidfSearch(files).nearest(gone, "a", 5)
    with pytest.raises(NotExplained, match="at most 32 MiB can be searched"):
        TfidfSearch(files).nearest(gone.model_copy(update={"bytes": MAX_TRAINING_MIB * MIB + 1}), "a", 5)


def test_the_search_text_is_question_and_answer() -> None:
    sample = {"prompt": [{"role": "user", "content": "Asked: q?"}], "answer": "a"}
    assert question_and_answer(sample) == "Asked: q?\na"
    assert question_and_answer({**sample, "question": "q?"}) == "q?\na"


def says(version: str | None, _place: int, item: Item) -> str:
    return item.reference if version else "no"


@pytest.fixture
async def http(tmp_path: Path, files: Artifacts) -> AsyncIterator[httpx.AsyncClient]:
    """Step 1 was trained on `TRAINING`; the training rows of step 2 are unknown."""
    evaluations = evaluations_over(MemoryStore("evaluator"), files, says)
    test = Split(artifact=files.put_bytes(rows([("How long is delivery?", "Three days."), ("Shoes?", "Yes.")])), rows=2)
    train = Split(artifact=files.put_bytes(rows(TRAINING)), rows=4)
    for step, told in ((1, train), (2, None)):
        adapter = Artifact(uri="file:///a", sha256=f"{step << 240:064x}", bytes=1)
        made = Candidate(job_id="j", step=step, base_model="b", model_name="m", adapter=adapter, lora_rank=4)
        metrics = TrainingMetrics(step=step)
        await evaluations.evaluate(
            CheckpointSaved(candidate=made, total_steps=9, metrics=metrics, test=test, train=told)
        )
    app = web.build(
        "evaluator",
        Settings(common=CommonSettings(keys_file=tmp_path / "keys.json")),
        [evaluations_api.routes, explaining_api.routes],
        checks={},
        dependencies={"evaluations": evaluations, "explanations": Explanations(evaluations, TfidfSearch(files))},
        exception_handlers={**evaluations_api.problems, **explaining_api.problems},
    )
    keyring = Keyring(tmp_path / "keys.json")
    headers = {"authorization": f"Bearer {keyring.create('admin', ('admin',))}"}
    other = {"authorization": f"Bearer {keyring.create('other', ('train',))}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://evaluator", headers=headers) as client:
        assert (await client.get("/v1/evaluations/j/1/samples/1/explanation", headers=other)).status_code == 404
        yield client


async def test_one_answer_is_explained_by_http(http: httpx.AsyncClient) -> None:
    found = (await http.get("/v1/evaluations/j/1/samples/1/explanation", params={"rows": 2})).json()
    assert (found["task"], found["place"], found["sample"]["answer"]) == ("", 1, "Three days.")
    assert found["nearest"][0]["line"] == 1
    assert len(found["nearest"]) == 2
    assert found["nearest"][0]["row"]["messages"][1]["content"] == TRAINING[0][0]
    [_first, second] = (await http.get("/v1/evaluations/j/1/samples")).json()
    found = (await http.get("/v1/evaluations/j/1/samples/2/explanation")).json()
    assert (found["sample"], found["nearest"][0]["line"]) == (second, 2)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("j/1/samples/3/explanation", 404, "the task has 2 samples; there is no sample 3"),
        ("j/1/samples/0/explanation", 404, "no sample 0"),
        ("j/1/samples/1/explanation?task=shop.faq", 404, "no task 'shop.faq'"),
        ("j/2/samples/1/explanation", 422, "does not name its training rows"),
        ("j/3/samples/1/explanation", 404, "no evaluation of job 'j' at step 3"),
        ("j/1/samples/1/explanation?rows=21", 400, ""),
        ("j/1/samples/one/explanation", 404, ""),
    ],
)
async def test_http_says_why_an_answer_cannot_be_explained(http: httpx.AsyncClient, path, status, said) -> None:
    refused = await http.get(f"/v1/evaluations/{path}")
    assert refused.status_code == status
    assert said in refused.json()["detail"]
