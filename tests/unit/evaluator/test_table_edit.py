"""A page of a table that a person changed, within the complete table."""

from services.evaluator.suites.domain.table_edit import TableEdit, cell_text, edited

ROWS = [{"question": f"q{n}", "answer": n, "choices": ["a", "b"]} for n in range(4)]


def typed(row: dict[str, object]) -> dict[str, str]:
    return {name: cell_text(value) for name, value in row.items()}


def test_cells_that_were_not_changed_keep_their_values():
    rows = [typed(row) for row in ROWS[1:3]]
    assert edited(ROWS, TableEdit(1, 2, rows)) == ROWS


def test_a_changed_cell_of_a_column_of_numbers_or_lists_is_read_as_json():
    rows = [{**typed(ROWS[1]), "answer": "7", "choices": '["a", "c"]'}]
    assert edited(ROWS, TableEdit(1, 1, rows))[1] == {"question": "q1", "answer": 7, "choices": ["a", "c"]}


def test_a_row_without_text_is_removed_and_new_rows_stand_at_their_place():
    empty = dict.fromkeys(ROWS[0], "")
    new = {**empty, "question": "new?", "answer": "yes"}
    found = edited(ROWS, TableEdit(2, 2, [empty, typed(ROWS[3]), new, empty]))
    assert [row["question"] for row in found] == ["q0", "q1", "q3", "new?"]
    assert found[-1] == {"question": "new?", "answer": "yes"}


def test_a_cell_that_is_nested_too_deeply_to_be_json_stays_text():
    deep = "[" * 100_000
    assert edited(ROWS, TableEdit(0, 1, [{**typed(ROWS[0]), "choices": deep}]))[0]["choices"] == deep
