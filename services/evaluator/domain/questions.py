"""From a task's rows to the questions that a model is asked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.evaluator.domain.disturbing import disturbed, is_paraphrase
from services.evaluator.domain.suite import CannotBeScored, Item
from services.evaluator.domain.tasks import LETTERS, Columns, Task

Row = Mapping[str, Any]
Render = Callable[[Mapping[str, Any]], str]
"""Fills the task's template; raises `CannotBeScored`."""


def items_of(task: Task, rows: Sequence[Row], examples: Sequence[Row], render: Render) -> tuple[Item, ...]:
    """One item a row, in their order; raises `CannotBeScored`, with the number of the row that is wrong."""
    if not rows:
        raise CannotBeScored("empty_test_set", "the table holds no rows")
    _demand_columns(task, rows)
    shown = _Shown(task, examples, render)
    return tuple(_item(task, number, row, shown, render) for number, row in enumerate(rows, start=1))


class _Shown:
    """The answered examples that stand before a question, made once a subject."""

    def __init__(self, task: Task, examples: Sequence[Row], render: Render) -> None:
        self._by_subject: dict[str, list[tuple[str, str]]] = {}
        for number, row in enumerate(examples, start=1):
            pair = (render(_values(task, number, row)), _target(task, number, row))
            for subject in {_subject(task, row), ""}:
                known = self._by_subject.setdefault(subject, [])
                if len(known) < task.shots:
                    known.append(pair)

    def of(self, subject: str) -> list[tuple[str, str]]:
        return self._by_subject.get(subject) or self._by_subject.get("", [])


def _item(task: Task, number: int, row: Row, shown: _Shown, render: Render) -> Item:
    subject = _subject(task, row)
    values = _values(task, number, row)
    asked, examples = render({**values, "question": _said(task, number, row)}), shown.of(subject)
    if task.kind in ("multiple_choice", "likelihood"):
        before = "".join(f"{question} {answer}\n\n" for question, answer in examples)
        prompt = ({"role": "user", "content": (f"{task.system}\n\n" if task.system else "") + before + asked},)
    else:
        prompt = _conversation(task.system, examples, asked)
    choices = _options(task, values["choices"]) if task.kind == "multiple_choice" else ()
    weighed, timed = task.kind == "likelihood", task.kind == "speed"
    return Item(prompt, _target(task, number, row), choices, subject, str(values["question"]), weighed, timed)


def _said(task: Task, number: int, row: Row) -> Any:
    """The question, disturbed where the task says how."""
    question = row[task.columns.question]
    if task.disturb is None:
        return question
    paraphrases = _paraphrases(task.columns, number, row) if task.disturb == "paraphrase" else []
    return disturbed(str(question), task.disturb, task.seed, paraphrases)


def _paraphrases(columns: Columns, number: int, row: Row) -> list[str]:
    question = str(row[columns.question])
    found = _listed(columns.paraphrases, row)
    same = [text for text in found if not is_paraphrase(text, question)]
    if same or not found:
        what = f"{len(same)} of {len(found)} are not: {same!r:.200}" if found else f"no list {columns.paraphrases!r}"
        raise CannotBeScored("bad_row", f"row {number}: wants paraphrases in other words than its question; {what}")
    return found


def _conversation(system: str, examples: Sequence[tuple[str, str]], asked: str) -> tuple[dict[str, Any], ...]:
    turns = [("system", system)] if system else []
    for question, answer in examples:
        turns += [("user", question), ("assistant", answer)]
    return tuple({"role": role, "content": content} for role, content in (*turns, ("user", asked)))


def _values(task: Task, number: int, row: Row) -> dict[str, Any]:
    """What the template may use: never the answer."""
    columns = task.columns
    choices = _choices(columns, number, row) if task.kind == "multiple_choice" else []
    others = {name: value for name, value in row.items() if name != columns.answer}
    return {**others, "question": row[columns.question], "choices": choices, "letters": LETTERS}


def _target(task: Task, number: int, row: Row) -> str:
    answer = row.get(task.columns.answer, "")
    if task.kind != "multiple_choice":
        return str(answer)
    choices = _choices(task.columns, number, row)
    if isinstance(answer, int) and not _of_numbers(task.columns, row):
        answer = choices[answer] if 0 <= answer < len(choices) else answer
    return _options(task, choices)[_place(number, answer, choices)]


def _options(task: Task, choices: Sequence[str]) -> tuple[str, ...]:
    return tuple(LETTERS[: len(choices)]) if task.answer_by == "letter" else tuple(choices)


def _place(number: int, answer: Any, choices: Sequence[str]) -> int:
    """Which choice is right: said by its text, else its letter, else its place from 0."""
    text = str(answer).strip()
    if text in choices:
        return choices.index(text)
    if len(text) == 1 and text in LETTERS[: len(choices)]:
        return LETTERS.index(text)
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    raise CannotBeScored("bad_row", f"row {number}: the answer {text[:80]!r} is none of the choices")


def _of_numbers(columns: Columns, row: Row) -> bool:
    """Whether the choices are numbers; only then may a number be one of them, beside texts it is a place."""
    found = row[columns.choices] if isinstance(columns.choices, str) else [row.get(name) for name in columns.choices]
    return any(isinstance(each, int | float) for each in found)


def _choices(columns: Columns, number: int, row: Row) -> list[str]:
    listed = _listed(columns.choices, row)
    if not 2 <= len(listed) <= len(LETTERS) or len(set(listed)) < len(listed) or "" in listed:
        raise CannotBeScored(
            "bad_row", f"row {number}: wants 2 to {len(LETTERS)} different choices, has {listed!r:.200}"
        )
    return listed


def _listed(columns: str | Sequence[str], row: Row) -> list[str]:
    """The texts of one column that holds a list, or of several columns, of which some may be empty."""
    if not isinstance(columns, str):
        return [str(row[name]).strip() for name in columns if row.get(name) not in (None, "")]
    found = row.get(columns)
    return [str(each).strip() for each in found] if isinstance(found, list | tuple) else []


def _subject(task: Task, row: Row) -> str:
    return str(row.get(task.columns.subject) or "")


def _demand_columns(task: Task, rows: Sequence[Row]) -> None:
    columns = task.columns
    wanted = [columns.question] if task.kind == "speed" else [columns.question, columns.answer]
    if task.kind == "multiple_choice":
        wanted += [columns.choices] if isinstance(columns.choices, str) else columns.choices[:2]
    for number, row in enumerate(rows, start=1):
        missing = [name for name in wanted if row.get(name) is None]
        if missing:
            there = ", ".join(map(repr, row)) or "nothing"
            raise CannotBeScored(
                "missing_column", f"row {number} lacks {', '.join(map(repr, missing))}; it has {there}"
            )
