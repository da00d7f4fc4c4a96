"""Tasks, tables and suites: valid and invalid ones."""

import io
import json
from pathlib import Path

import openpyxl
import pytest

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.suites.adapters.prompt_template import PromptTemplate
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.adapters.tables import read_table
from services.evaluator.suites.domain.suite import SuiteContent, task_names
from services.evaluator.suites.domain.task import Table, Task, read_task
from services.evaluator.suites.domain.task_items import items_of

ROWS = Table(rows=({"question": "1+1?", "answer": "2"},))
CHOICE_ROW = {"question": "Capital of Italy?", "choices": ["Rome", "Oslo", "Lima"], "answer": 0, "subject": "cities"}


def items(task: Task, rows: list, examples: list | None = None):
    return items_of(task, rows, examples or [], PromptTemplate(task.template))


def xlsx(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("csv", b'\xef\xbb\xbfquestion,answer\r\n"a, ""b""?",\xe5\x8c\x97\r\n,\r\n'),
        ("jsonl", '{"question": "a, \\"b\\"?", "answer": "北"}\n\n'.encode()),
        ("json", '[{"question": "a, \\"b\\"?", "answer": "北"}]'.encode()),
        ("xlsx", xlsx([["question", "answer"], ['a, "b"?', "北"], [None, None]])),
    ],
)
def test_a_table_becomes_questions_without_yaml(format, content) -> None:
    [item] = items(Task(name="mine", data=ROWS), read_table(content, format))
    assert item.prompt == ({"role": "user", "content": 'a, "b"?'},)
    assert (item.reference, item.question, item.choices) == ("北", 'a, "b"?', ())


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("csv", b"\xff\xfe\x00"),
        ("csv", b"a,a\n1,2\n"),
        ("csv", b'question\n"' + b"x" * 300_000 + b'"\n'),
        ("jsonl", b"[1]\n"),
        ("jsonl", b"{oops\n"),
        ("xlsx", b"PK\x03\x04 not a workbook"),
    ],
)
def test_an_invalid_table_is_refused_with_the_reason(format, content) -> None:
    with pytest.raises(CannotBeScored) as refused:
        read_table(content, format)
    assert refused.value.code == "bad_table"


def test_a_workbook_bomb_is_refused_before_unpacking(monkeypatch) -> None:
    monkeypatch.setattr("services.evaluator.suites.adapters.tables.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(CannotBeScored, match="unpacks to more than 1000 bytes"):
        read_table(xlsx([["question", "answer"]]), "xlsx")


def test_answered_examples_of_the_same_subject_precede_a_question() -> None:
    task = Task(name="mc", kind="multiple_choice", data=ROWS, shots=1)
    shown = [
        {**CHOICE_ROW, "question": q, "subject": s} for q, s in (("x?", "other"), ("y?", "cities"), ("z?", "cities"))
    ]
    [item] = items(task, [CHOICE_ROW], shown)
    assert item.prompt[0]["content"] == "Question: y?\nAnswer: Rome\n\nQuestion: Capital of Italy?\nAnswer:"
    assert (item.reference, item.choices, item.subject) == ("Rome", ("Rome", "Oslo", "Lima"), "cities")
    chat = Task(name="chat", data=ROWS, system="Be brief.", shots=1)
    [item] = items(chat, [{"question": "1+1?", "answer": 2}], [{"question": "2+2?", "answer": 4}])
    assert [(m["role"], m["content"]) for m in item.prompt] == [
        ("system", "Be brief."),
        ("user", "2+2?"),
        ("assistant", "4"),
        ("user", "1+1?"),
    ]


@pytest.mark.parametrize("answer", ["Oslo", "B", 1, "1"])
def test_the_right_choice_is_given_by_text_letter_or_index(answer) -> None:
    by_letter = Task(name="mc", kind="multiple_choice", data=ROWS, answer_by="letter")
    [item] = items(by_letter, [{**CHOICE_ROW, "answer": answer}])
    assert (item.reference, item.choices) == ("B", ("A", "B", "C"))
    assert item.prompt[0]["content"] == "Capital of Italy?\nA. Rome\nB. Oslo\nC. Lima\nAnswer:"
    columns = {"question": "question", "choices": ("a", "b", "c"), "answer": "right"}
    by_column = Task(name="mc", kind="multiple_choice", data=ROWS, columns=columns)
    [item] = items(by_column, [{"question": "q", "a": "Rome", "b": "Oslo", "c": "", "right": answer}])
    assert (item.reference, item.choices) == ("Oslo", ("Rome", "Oslo"))


@pytest.mark.parametrize(
    ("choices", "answer", "right"),
    [
        (["3", "2", "4", "1"], 1, "2"),
        (["3", "2", "4", "1"], "1", "1"),
        ([3, 2, 4, 1], 1, "1"),
        ([30, 20], 1, "20"),
    ],
)
def test_a_number_is_an_index_if_the_choices_are_texts(choices, answer, right) -> None:
    task = Task(name="mc", kind="multiple_choice", data=ROWS)
    [item] = items(task, [{"question": "1 + 1?", "choices": choices, "answer": answer}])
    assert item.reference == right


@pytest.mark.parametrize(
    ("kind", "rows", "code", "said"),
    [
        ("generation", [], "empty_test_set", "no rows"),
        ("generation", [{"question": "q", "answer": "a"}, {"q": 1}], "missing_column", "row 2 lacks 'question'"),
        ("multiple_choice", [{"question": "q", "answer": "a"}], "missing_column", "row 1 lacks 'choices'"),
        ("multiple_choice", [{**CHOICE_ROW, "answer": "Paris"}], "bad_row", "row 1: the answer 'Paris' is not one of"),
        ("multiple_choice", [{**CHOICE_ROW, "choices": ["x", "x"]}], "bad_row", "row 1: 2 to 26 different"),
        ("multiple_choice", [{**CHOICE_ROW, "choices": "Rome"}], "bad_row", "row 1: 2 to 26"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(kind, rows, code, said) -> None:
    with pytest.raises(CannotBeScored, match=said) as refused:
        items(Task(name="t", kind=kind, data=ROWS), rows)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("how", "said"),
    [("lower_case", "capital of italy, please?"), ("no_punctuation", "Capital of Italy please"), ("typos", None)],
)
def test_questions_can_be_perturbed(how, said) -> None:
    task = Task(name="t", data=ROWS, disturb=how, seed=3)
    row = {"question": "Capital of Italy, please?", "answer": "Rome"}
    [item] = items(task, [row])
    asked = item.prompt[-1]["content"]
    assert asked == (said or asked)
    assert asked != row["question"] == item.question
    assert abs(len(asked) - len(row["question"])) <= 4
    assert items(task, [row]) == (item,)
    assert items(task.model_copy(update={"disturb": None}), [row])[0].prompt[-1]["content"] == row["question"]


def test_a_question_can_get_an_adversarial_suffix() -> None:
    rows = [{"question": f"Capital of country {n}?", "answer": "Rome"} for n in range(12)]
    asked = [item.prompt[-1]["content"] for item in items(Task(name="t", data=ROWS, disturb="suffix"), rows)]
    assert all(text.startswith(f"{row['question']} ") for text, row in zip(asked, rows, strict=True))
    assert len({text.partition("? ")[2] for text in asked}) > 1


OTHER_WORDS = ["Which town is Italy's capital?", "Italy is governed from where?", "意大利的首都是哪里？"]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ({}, {"paraphrases": OTHER_WORDS}),
        ({"paraphrases": ["a", "b", "c", "d"]}, dict(zip("abc", OTHER_WORDS, strict=True))),
    ],
)
def test_the_seed_draws_a_paraphrase(columns, row) -> None:
    row = {"question": "Capital of Italy?", "answer": "Rome", **row}
    asked: set[str] = set()
    for seed in range(20):
        task = Task(name="t", data=ROWS, columns=columns, disturb="paraphrase", seed=seed, prompt="Say: {{ question }}")
        [item] = items(task, [row])
        assert items(task, [row]) == (item,)
        assert (item.question, item.reference) == ("Capital of Italy?", "Rome")
        asked.add(item.prompt[-1]["content"])
    assert asked == {f"Say: {text}" for text in OTHER_WORDS}


@pytest.mark.parametrize(
    ("paraphrases", "said"),
    [
        (None, "row 2: .*; there are none"),
        ([], "row 2: .*; there are none"),
        ("Where is Rome?", "row 2: .*; there are none"),
        (["Where is it?", " "], r"row 2: .*; 1 of 2 have the same words: \[''\]"),
        (["capital of ITALY"], r"row 2: .*; 1 of 1 have the same words: \['capital of ITALY'\]"),
    ],
)
def test_a_row_without_valid_paraphrases_is_an_error(paraphrases, said) -> None:
    good = {"question": "1+1?", "answer": "2", "paraphrases": ["One and one?"]}
    row = {"question": "Capital of Italy?", "answer": "Rome", "paraphrases": paraphrases}
    with pytest.raises(CannotBeScored, match=said) as refused:
        items(Task(name="t", data=ROWS, disturb="paraphrase"), [good, row])
    assert refused.value.code == "bad_row"
    assert len(items(Task(name="t", data=ROWS), [good, row])) == 2


def test_a_prompt_template_cannot_use_the_answer() -> None:
    with pytest.raises(CannotBeScored, match="no column 'answer'"):
        items(Task(name="t", data=ROWS, prompt="{{ answer }}"), [{"question": "q", "answer": "a"}])


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        ({"name": "t"}, "bad_task", "data: Field required"),
        ({"name": "../t", "data": {"rows": []}}, "bad_task", "name: String should match"),
        ({"name": "t", "data": {"rows": [], "file": "x.csv"}}, "bad_task", "exactly one of file, artifact and rows"),
        ({"name": "t", "data": {"rows": []}, "weight": 0}, "bad_task", "weight"),
        ({"name": "t", "data": {"rows": []}, "wieght": 1}, "bad_task", "wieght"),
        ({"name": "t", "data": {"rows": []}, "metrics": ["perplexity"]}, "bad_task", "no other kind has it"),
        ({"name": "t", "data": {"rows": []}, "kind": "likelihood", "metrics": ["f1"]}, "bad_task", "perplexity only"),
    ],
)
def test_every_invalid_field_of_a_task_is_named(raw, code, said) -> None:
    with pytest.raises(CannotBeScored, match=said) as refused:
        read_task(raw)
    assert refused.value.code == code


def test_tasks_without_a_valid_name_are_numbered() -> None:
    assert task_names([{"name": "a"}, {}, {"name": "a"}, {"name": 3}]) == ["a", "task-2", "task-3", "task-4"]


def test_code_in_a_yaml_suite_fails_only_its_task(tmp_path: Path) -> None:
    (tmp_path / "mixed.yaml").write_text(
        "tasks:\n- {name: good, data: {rows: [{question: q, answer: a}]}}\n"
        "- {name: bad, data: {rows: []}, metrics: [!function utils.score]}\n"
        "- {name: worse, data: !!python/object/apply:os.system [id]}\n"
    )
    suite = SuiteFolders(tmp_path).get("mixed")
    assert suite is not None
    assert read_task(suite.tasks[0]).name == "good"
    for raw, tag in ((suite.tasks[1], "!function utils.score"), (suite.tasks[2], "python/object/apply:os.system")):
        with pytest.raises(CannotBeScored, match=tag) as refused:
            read_task(raw)
        assert refused.value.code == "code_refused"


@pytest.mark.parametrize(
    "text",
    ["tasks: [", "tasks: []", "- a", "a: &a [1]\ntasks: [*a, *a]", "tasks: 3", "tasks: [{}]\nmore: 1", "", "[" * 5000],
)
def test_an_invalid_suite_file_is_refused_with_its_name(tmp_path: Path, text) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(CannotBeScored, match=r"broken\.yaml") as refused:
        SuiteFolders(tmp_path).get("broken")
    assert refused.value.code == "bad_suite"


@pytest.mark.parametrize("folder", [SHIPPED, Path(__file__).parents[3] / "examples" / "suites"])
def test_the_shipped_suites_are_valid(folder: Path) -> None:
    folders = SuiteFolders(folder)
    for name in folders.names():
        suite = folders.get(name)
        assert suite is not None
        for task in map(read_task, suite.tasks):
            tables = [task.data] + ([task.examples] if task.examples else [])
            formats = [table.file.rpartition(".")[2] for table in tables if table.file]
            rows = [read_table(folders.table(name, t), f) for t, f in zip(tables, formats, strict=True)]
            asked = items(task, *rows)
            assert len({item.question for item in asked}) == len(asked)
            registry.check(task.measured_by)


HARNESS = {
    "task": "mine",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "rows.jsonl", "dev": "shown.jsonl"}},
    "test_split": "test",
    "fewshot_split": "dev",
    "num_fewshot": 1,
    "output_type": "multiple_choice",
    "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nAnswer:",
    "doc_to_choice": ["A", "B"],
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}


def harness(folder: Path, **changed: object) -> Task:
    (folder / "mine.yaml").write_text(json.dumps({"tasks": [{"name": "mmlu", "harness": "task.yaml", "weight": 3}]}))
    (folder / "task.yaml").write_text(json.dumps({**HARNESS, **changed}))
    folders = SuiteFolders(folder)
    suite = folders.get("mine")
    assert suite is not None
    return read_task(folders.harness("mine", suite.tasks[0]))


def test_a_task_file_of_the_harness_is_a_task(tmp_path: Path) -> None:
    task = harness(tmp_path)
    assert (task.name, task.measured_by, task.weight, task.answer_by) == ("mmlu", ("accuracy",), 3, "letter")
    row = {"question": " Capital of Italy? ", "choices": ["Oslo", "Rome"], "answer": 1}
    [item] = items(task, [row], [{"question": "Of Norway?", "choices": ["Oslo", "Rome"], "answer": 0}])
    assert item.prompt[0]["content"] == (
        "Of Norway?\nA. Oslo\nB. Rome\nAnswer: A\n\nCapital of Italy?\nA. Oslo\nB. Rome\nAnswer:"
    )
    assert (item.reference, item.choices) == ("B", ("A", "B"))
    written = harness(
        tmp_path, output_type="generate_until", doc_to_target="{{answer}}", metric_list=[{"metric": "bleu"}],
        generation_kwargs={"max_gen_toks": 30}, doc_to_choice=None,
    )  # fmt: skip
    assert (written.kind, written.measured_by, written.max_tokens) == ("generation", ("bleu",), 30)


def test_a_harness_group_stands_for_its_tasks_and_a_bad_task_fails_alone(tmp_path: Path) -> None:
    for name in ("know_law", "know_art"):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / f"{name}.yaml").write_text(json.dumps({**HARNESS, "task": name}))
    (tmp_path / "files" / "know.yaml").write_text(json.dumps({"group": "know", "task": ["know_law", "know_more"]}))
    (tmp_path / "files" / "know_more.yaml").write_text(json.dumps({"group": "more", "task": ["know_art", "nowhere"]}))
    entries = [{"name": "all", "harness": "files/know.yaml", "weight": 2}, {"name": "own", "data": {"rows": []}}]
    (tmp_path / "mine.yaml").write_text(json.dumps({"tasks": entries}))
    folders = SuiteFolders(tmp_path)
    suite = folders.get("mine")
    assert suite is not None
    assert [raw["name"] for raw in suite.tasks] == ["law", "know_art", "nowhere", "own"]
    law, art = (read_task(folders.harness("mine", raw)) for raw in suite.tasks[:2])
    assert (law.name, law.weight, art.name, art.kind) == ("law", 2, "know_art", "multiple_choice")
    with pytest.raises(CannotBeScored, match=r"no file 'files/nowhere\.yaml'"):
        folders.harness("mine", suite.tasks[2])
    (tmp_path / "files" / "know_more.yaml").write_text(json.dumps({"group": "more", "task": ["know"]}))
    with pytest.raises(CannotBeScored, match=r"mine\.yaml"):
        folders.get("mine")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"dataset_path": "cais/mmlu"}, "bad_task", "must name local files"),
        ({"test_split": "train"}, "bad_task", "data_files with 'train'"),
        ({"process_docs": "x"}, "bad_task", "fields of a harness task: process_docs"),
        ({"doc_to_target": "{{choices[answer]}}"}, "bad_task", "doc_to_target of a harness task must name one column"),
        ({"doc_to_text": 3}, "bad_task", "doc_to_text of a harness task must be a text"),
        ({"output_type": "loglikelihood_rolling"}, "bad_task", "output_type of a harness task must be one of"),
        ({"num_fewshot": 99}, "bad_task", "shots"),
    ],
)
def test_unsupported_harness_tasks_are_refused_with_the_reason(tmp_path: Path, changed, code, said) -> None:
    with pytest.raises(CannotBeScored, match=said) as refused:
        harness(tmp_path, **changed)
    assert refused.value.code == code


def test_code_in_a_harness_task_is_refused(tmp_path: Path) -> None:
    harness(tmp_path)
    (tmp_path / "task.yaml").write_text("task: x\ndoc_to_text: !function utils.text\n")
    with pytest.raises(CannotBeScored, match=r"!function utils\.text") as refused:
        SuiteFolders(tmp_path).harness("mine", {"name": "mmlu", "harness": "task.yaml"})
    assert refused.value.code == "code_refused"


def test_a_suites_table_must_be_beside_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "suites"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("question,answer\n")
    (folder / "mine.yaml").write_text(json.dumps({"tasks": [{"name": "t"}]}))
    (folder / "rows.csv").write_text("question,answer\nq,a\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    folders = SuiteFolders(folder)
    assert folders.table("mine", Table(file="rows.csv")) == b"question,answer\nq,a\n"
    for outside in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "none.csv", "."):
        with pytest.raises(CannotBeScored, match="no file"):
            folders.table("mine", Table(file=outside))
    assert folders.names() == ["mine"]
    assert (folders.get("other"), SuiteContent(tasks=({},)).description) == (None, "")
