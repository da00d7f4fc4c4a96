"""Each rule of a conversation is broken alone, and the finding names the line, the field, the code and a fix."""

import pytest

from tests.prepared import check, filler, jsonl

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}
CALL = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"table": 4}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "done", "tool_call_id": "c1"}
TOOLS = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    "messages",
    [
        (USER, ANSWER),
        (SYSTEM, USER, ANSWER),
        (USER, ANSWER, USER, ANSWER),
        (USER, CALLING, RESULT, ANSWER),
        (USER, CALLING),
        (USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}),
        ({"role": "user", "content": [{"type": "text", "text": "in parts"}]}, ANSWER),
    ],
)
def test_a_conversation_in_order_is_accepted(messages) -> None:
    checked = check(jsonl([{"messages": messages, "tools": TOOLS}, *filler()]))
    assert checked.report.errors == []
    assert len(checked.rows[0]["messages"]) == len(messages)


@pytest.mark.parametrize(
    ("messages", "field", "code"),
    [
        ([], "messages", "empty"),
        ("text", "messages", "wrong_type"),
        (None, "messages", "missing"),
        ([SYSTEM], "messages", "no_answer"),
        ([USER], "messages", "no_answer"),
        ([SYSTEM, USER], "messages", "no_answer"),
        ([USER, ANSWER, USER], "messages", "no_answer"),
        ([ANSWER, USER], "messages[0].role", "wrong_turn"),
        ([USER, USER], "messages[1].role", "wrong_turn"),
        ([USER, ANSWER, ANSWER], "messages[2].role", "wrong_turn"),
        ([USER, SYSTEM, ANSWER], "messages[1].role", "late_system"),
        ([SYSTEM, SYSTEM, USER, ANSWER], "messages[1].role", "late_system"),
        ([{"role": "king", "content": "x"}, ANSWER], "messages[0].role", "unknown_role"),
        ([{"content": "x"}, ANSWER], "messages[0].role", "missing"),
        (["x", ANSWER], "messages[0]", "wrong_type"),
        ([{"role": "user", "content": ""}, ANSWER], "messages[0].content", "empty"),
        ([{"role": "user", "content": " \n"}, ANSWER], "messages[0].content", "empty"),
        ([{"role": "user", "content": 3}, ANSWER], "messages[0].content", "wrong_type"),
        ([{"role": "user", "content": {"$ne": None}}, ANSWER], "messages[0].content", "wrong_type"),
        ([{"role": "user"}, ANSWER], "messages[0].content", "missing"),
        ([USER, {**ANSWER, "weight": 0.5}], "messages[1].weight", "bad_weight"),
        ([USER, {**ANSWER, "weight": "0"}], "messages[1].weight", "bad_weight"),
        ([USER, {**ANSWER, "weight": True}], "messages[1].weight", "bad_weight"),
        ([{**USER, "weight": 1}, ANSWER], "messages[0].weight", "weight_of_other"),
        ([USER, {**ANSWER, "weight": 0}], "messages", "nothing_to_learn"),
        ([USER, {**ANSWER, "refusal": "no"}], "messages[1].refusal", "refusal"),
        ([USER, CALLING, ANSWER], "messages[2].role", "wrong_turn"),
        ([USER, CALLING, {**RESULT, "tool_call_id": "c2"}], "messages[2].tool_call_id", "unknown_call"),
        ([USER, CALLING, RESULT], "messages", "no_answer"),
        ([{**USER, "tool_calls": [CALL]}, ANSWER], "messages[0].tool_calls", "call_of_other"),
        ([USER, {**CALLING, "tool_calls": [{"id": "c"}]}], "messages[1].tool_calls[0]", "bad_call"),
        ([USER, {**CALLING, "tool_calls": [CALL, CALL]}], "messages[1].tool_calls", "repeated_call_id"),
        (
            [USER, {**CALLING, "tool_calls": [{**CALL, "function": {"name": "b", "arguments": "{oops"}}]}],
            "messages[1].tool_calls[0].function.arguments",
            "bad_arguments",
        ),
    ],
)
def test_a_broken_rule_is_reported_with_line_field_and_fix(messages, field: str, code: str) -> None:
    checked = check(jsonl([*filler(3), {"messages": messages}]))
    [error] = checked.report.errors
    assert (error.line, error.field, error.code) == (4, field, code)
    assert error.reason
    assert error.fix


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ({"instruction": "i"}, "output", "missing"),
        ({"instruction": "i", "output": " "}, "output", "empty"),
        ({"instruction": "i", "output": "o", "history": [["q"]]}, "history[0]", "bad_pair"),
        ({"instruction": "i", "output": "o", "prompt": "p"}, "prompt", "two_shapes"),
        ({"prompt": "p"}, "completion", "missing"),
        ({"prompt": "", "completion": "c"}, "prompt", "empty"),
        ({"prompt": "p", "completion": "c", "label": "maybe"}, "label", "bad_label"),
        ({"prompt": "p", "chosen": "c", "rejected": "c"}, "non_preferred_output", "same_answers"),
        ({"input": "i"}, "output", "missing"),
        ({"text": "t", "completion": "c"}, "completion", "two_shapes"),
        ({"text": "t", "source": "s"}, "source", "unknown_key"),
        ({"text": "\n"}, "text", "empty"),
        ({"conversations": [{"from": "king", "value": "x"}]}, "conversations[0].from", "unknown_role"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "conversations[0].role", "wrong_turn"),
        ({"messages": [USER, ANSWER], "prompt": "p"}, "prompt", "two_shapes"),
        ({}, "messages", "missing"),
    ],
)
def test_a_bad_row_of_another_shape_is_reported(row, field: str, code: str) -> None:
    found = next(one for one in check(jsonl([row])).report.errors if one.line)
    assert (found.line, found.field, found.code) == (1, field, code)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "i", "output": "o"}, ["i", "o"]),
        ({"instruction": "i", "input": "about", "output": "o", "system": "s"}, ["s", "i\nabout", "o"]),
        ({"instruction": "i", "output": "o", "history": [["q1", "a1"]]}, ["q1", "a1", "i", "o"]),
        ({"instruction": "i", "input": "", "output": "o", "system": "", "history": []}, ["i", "o"]),
        ({"prompt": "p", "completion": "c"}, ["p", "c"]),
        ({"input": "p", "output": "c", "id": 3}, ["p", "c"]),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "system": "s"},
            ["s", "q", "a"],
        ),
    ],
)
def test_each_shape_becomes_a_conversation(row, said: list[str]) -> None:
    checked = check(jsonl([row, *filler()]))
    assert [message["content"] for message in checked.rows[0]["messages"]] == said


def test_bad_rows_are_dropped_and_counted_when_that_was_asked_for() -> None:
    rows = filler(20)
    content = jsonl(rows) + b"{oops\n\n" + jsonl(rows[:1])
    checked = check(content, drop_bad_rows=True)
    counts = checked.report.counts
    assert (counts.rows, counts.dropped, counts.duplicates) == (22, 1, 1)
    assert counts.rows == counts.train + counts.validation + counts.test + counts.duplicates + counts.dropped
    assert [one["line"] for one in checked.findings] == [21]


def test_all_errors_are_listed_and_the_first_hundred_are_in_the_answer() -> None:
    checked = check(b"{oops\n" * 1000)
    assert len(checked.report.errors) == 100
    assert [one["line"] for one in checked.findings] == list(range(1, 1001))
    assert checked.report.finding_counts == {"not_json": 1000}


@pytest.mark.parametrize("content", [jsonl(filler(9)), jsonl(filler(1)) * 50])
def test_a_file_with_too_few_rows_is_refused(content: bytes) -> None:
    assert check(content).report.errors[0].code == "too_few_rows"


def test_texts_and_conversations_are_not_mixed() -> None:
    checked = check(jsonl([*filler(), {"text": "a text"}]))
    assert [(one.line, one.code) for one in checked.report.errors] == [(13, "mixed_kinds")]


def test_a_preference_file_is_split_and_named_as_such() -> None:
    rows = [{"prompt": f"{n} {n * 7919}?", "chosen": "yes", "rejected": "no"} for n in range(40)]
    checked = check(jsonl(rows))
    assert checked.report.kind == "preference"
    assert sum(map(len, checked.splits.values())) == 40


def test_an_unknown_key_is_a_notice_and_the_row_is_used() -> None:
    checked = check(jsonl([{**one, "source": "shop"} for one in filler()]))
    assert not checked.refused
    assert checked.report.finding_counts == {"unknown_key": 12}


def test_a_key_of_six_hundred_thousand_letters_is_reported_in_few_characters() -> None:
    checked = check(jsonl([{"text": "x", "k" * 600_000: 1}]))
    found = next(one for one in checked.report.errors if one.line)
    assert found.field.endswith("… (600000 characters)")
    assert len(checked.report.model_dump_json()) < 3_000
