"""Makes the items of a task from its rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.evaluator.scoring.domain.item import CannotBeScored, Item, is_empty
from services.evaluator.suites.domain.perturbation import is_paraphrase, perturbed
from services.evaluator.suites.domain.task import LETTERS, Columns, Task

Row = Mapping[str, Any]
MAX_GROUPS = 20
Render = Callable[[Mapping[str, Any]], str]
"""Renders the task's template; raises `CannotBeScored`."""


def items_of(task: Task, rows: Sequence[Row], examples: Sequence[Row], render: Render) -> tuple[Item, ...]:
    """One item per row, in their order; raises `CannotBeScored` with the number of a bad row."""
    if not rows:
        raise CannotBeScored("empty_test_set", "the table has no rows")
    _require_columns(task, rows)
    if task.fairness:
        _require_groups(task.columns, rows)
    shown = _Examples(task, examples, render)
    return tuple(_item(task, number, row, shown, render) for number, row in enumerate(rows, start=1))


class _Examples:
    """The answered examples before a question, by subject."""

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


def _item(task: Task, number: int, row: Row, shown: _Examples, render: Render) -> Item:
    subject = _subject(task, row)
    values = _values(task, number, row)
    asked, examples = render({**values, "question": _question(task, number, row)}), shown.of(subject)
    if task.kind in ("multiple_choice", "likelihood"):
        before = "".join(f"{question} {answer}\n\n" for question, answer in examples)
        prompt = ({"role": "user", "content": (f"{task.system}\n\n" if task.system else "") + before + asked},)
    else:
        prompt = _conversation(task.system, examples, asked)
    choices = _options(task, values["choices"]) if task.kind == "multiple_choice" else ()
    likelihood_only, timed = task.kind == "likelihood", task.kind == "speed"
    return Item(
        prompt,
        _target(task, number, row),
        choices,
        subject,
        str(values["question"]),
        likelihood_only,
        timed,
        str(row[task.columns.pair]) if task.fairness else "",
    )


def _question(task: Task, number: int, row: Row) -> Any:
    """The question, perturbed if the task says so."""
    question = row[task.columns.question]
    if task.disturb is None:
        return question
    paraphrases = _paraphrases(task.columns, number, row) if task.disturb == "paraphrase" else []
    return perturbed(str(question), task.disturb, task.seed, paraphrases)


def _paraphrases(columns: Columns, number: int, row: Row) -> list[str]:
    question = str(row[columns.question])
    found = _listed(columns.paraphrases, row)
    same = [text for text in found if not is_paraphrase(text, question)]
    if same or not found:
        what = f"{len(same)} of {len(found)} have the same words: {same!r:.200}" if found else "there are none"
        raise CannotBeScored(
            "bad_row", f"row {number}: {columns.paraphrases!r} must hold paraphrases of the question; {what}"
        )
    return found


def _conversation(system: str, examples: Sequence[tuple[str, str]], asked: str) -> tuple[dict[str, Any], ...]:
    turns = [("system", system)] if system else []
    for question, answer in examples:
        turns += [("user", question), ("assistant", answer)]
    return tuple({"role": role, "content": content} for role, content in (*turns, ("user", asked)))


def _values(task: Task, number: int, row: Row) -> dict[str, Any]:
    """The values for the template, without the answer."""
    columns = task.columns
    choices = _choices(columns, number, row) if task.kind == "multiple_choice" else []
    others = {name: value for name, value in row.items() if name != columns.answer}
    return {**others, "question": row[columns.question], "choices": choices, "letters": LETTERS}


def _target(task: Task, number: int, row: Row) -> str:
    answer = row.get(task.columns.answer, "")
    if task.kind != "multiple_choice":
        return str(answer)
    choices = _choices(task.columns, number, row)
    if isinstance(answer, int) and not _has_number_choices(task.columns, row):
        answer = choices[answer] if 0 <= answer < len(choices) else answer
    return _options(task, choices)[_correct_choice(number, answer, choices)]


def _options(task: Task, choices: Sequence[str]) -> tuple[str, ...]:
    return tuple(LETTERS[: len(choices)]) if task.answer_by == "letter" else tuple(choices)


def _correct_choice(number: int, answer: Any, choices: Sequence[str]) -> int:
    """The index of the right choice, given by its text, its letter, or its index from 0."""
    text = str(answer).strip()
    if text in choices:
        return choices.index(text)
    if len(text) == 1 and text in LETTERS[: len(choices)]:
        return LETTERS.index(text)
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    raise CannotBeScored("bad_row", f"row {number}: the answer {text[:80]!r} is not one of the choices")


def _has_number_choices(columns: Columns, row: Row) -> bool:
    """Whether choices are numbers; a numeric answer is then a choice, otherwise an index."""
    found = row[columns.choices] if isinstance(columns.choices, str) else [row.get(name) for name in columns.choices]
    return any(isinstance(each, int | float) for each in found)


def _choices(columns: Columns, number: int, row: Row) -> list[str]:
    listed = _listed(columns.choices, row)
    if not 2 <= len(listed) <= len(LETTERS) or len(set(listed)) < len(listed) or "" in listed:
        raise CannotBeScored(
            "bad_row", f"row {number}: 2 to {len(LETTERS)} different choices are needed, not {listed!r:.200}"
        )
    return listed


def _listed(columns: str | Sequence[str], row: Row) -> list[str]:
    """The texts of one column with a list, or of several columns, some of which may be empty."""
    if not isinstance(columns, str):
        return [str(row[name]).strip() for name in columns if row.get(name) not in (None, "")]
    found = row.get(columns)
    return [str(each).strip() for each in found] if isinstance(found, list | tuple) else []


def _subject(task: Task, row: Row) -> str:
    return str(row.get(task.columns.subject) or "")


def _require_references(column: str, rows: Sequence[Row]) -> None:
    if not any(column in row for row in rows):
        raise CannotBeScored("missing_column", f"row 1 lacks {column!r}; it has {_present(rows[0])}")
    empty = [number for number, row in enumerate(rows, start=1) if is_empty(row.get(column))]
    if empty:
        listed = ", ".join(map(str, empty[:20])) + (f" and {len(empty) - 20} more" if len(empty) > 20 else "")
        raise CannotBeScored("bad_row", f"the column {column!r} is empty or NaN in row {listed}")


def _present(row: Row) -> str:
    return ", ".join(map(repr, row)) or "no columns"


def _require_groups(columns: Columns, rows: Sequence[Row]) -> None:
    """Each question is asked for at least two groups, and once for each."""
    groups: dict[str, dict[str, int]] = {}
    for number, row in enumerate(rows, start=1):
        missing = [name for name in (columns.pair, columns.subject) if is_empty(row.get(name))]
        if missing:
            raise CannotBeScored("bad_row", f"row {number}: the column {missing[0]!r} is empty; fairness needs it")
        asked = groups.setdefault(str(row[columns.pair]), {})
        group = str(row[columns.subject])
        if group in asked:
            raise CannotBeScored("bad_row", f"row {number}: the group {group!r:.80} stands in row {asked[group]} too")
        asked[group] = number
    for pair, asked in groups.items():
        if len(asked) < 2:
            [number] = asked.values()
            raise CannotBeScored("bad_row", f"row {number}: the question {pair!r:.80} is asked for one group only")
    if len({group for asked in groups.values() for group in asked}) > MAX_GROUPS:
        raise CannotBeScored("bad_row", f"there are more than {MAX_GROUPS} groups in the column {columns.subject!r}")


def _require_columns(task: Task, rows: Sequence[Row]) -> None:
    columns = task.columns
    required = [columns.question]
    if task.kind == "multiple_choice":
        required += [columns.choices] if isinstance(columns.choices, str) else columns.choices[:2]
    for number, row in enumerate(rows, start=1):
        missing = [name for name in required if row.get(name) is None]
        if missing:
            raise CannotBeScored(
                "missing_column", f"row {number} lacks {', '.join(map(repr, missing))}; it has {_present(row)}"
            )
    if task.kind != "speed":
        _require_references(columns.answer, rows)
