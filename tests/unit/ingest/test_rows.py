"""What a row must look like (rows D2 to D5), and how a file of them is read and split."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.examples import Conversation
from services.ingest.domain.files import CheckedFile, DatasetRefused, read_file
from services.ingest.domain.rows import BadRow, read_row

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def line(*messages: object, **others: object) -> bytes:
    return json.dumps({"messages": list(messages), **others}).encode()


def row(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def lines(count: int) -> list[bytes]:
    return [line({"role": "user", "content": f"q{n}"}, ANSWER) for n in range(count)]


@pytest.mark.parametrize("messages", [(USER, ANSWER), (SYSTEM, USER, ANSWER), (USER, ANSWER, USER, ANSWER)])
def test_a_conversation_in_turns_is_accepted(messages) -> None:
    assert len(read_row(1, line(*messages)).messages) == len(messages)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (row(instruction="i", output="o"), ["i", "o"]),
        (row(instruction="i", input="about", output="o", system="s"), ["s", "i\nabout", "o"]),
        (row(instruction="i", output="o", history=[["q1", "a1"], ["q2", "a2"]]), ["q1", "a1", "q2", "a2", "i", "o"]),
        (row(instruction="i", input="", output="o", system="", history=[]), ["i", "o"]),
        (row(prompt="p", completion="c"), ["p", "c"]),
        (row(input="p", output="c", id=3), ["p", "c"]),
    ],
)
def test_rows_of_instructions_and_of_pairs_become_conversations(content: bytes, said: list[str]) -> None:
    example = read_row(1, content)
    assert isinstance(example, Conversation)
    assert [message.content for message in example.messages] == said
    turns = [message.role for message in example.messages if message.role != "system"]
    assert turns == ["user", "assistant"] * (len(turns) // 2)


def test_texts_stay_texts_and_are_not_mixed_with_answers() -> None:
    content = [row(text=f"A text, number {n}.") for n in range(20)]
    parts = read_file(b"\n".join(content), drop_bad_rows=False).split(seed=1)
    kept = [json.loads(one.line()) for part in (parts.train, parts.validation, parts.test) for one in part]
    assert sorted(kept, key=str) == sorted(map(json.loads, content), key=str)
    with pytest.raises(DatasetRefused) as refused:
        read_file(b"\n".join([*content, *lines(1)]), drop_bad_rows=False)
    assert [(error.line, "cannot be in one file" in error.reason) for error in refused.value.errors] == [(21, True)]


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (b"{oops", "", "is not JSON"),
        (b"[]", "", "is not a JSON object"),
        (b"\xff\xfe", "", "is not UTF-8"),
        (b'{"messages": NaN}', "", "NaN"),
        (b"[" * 100_000, "", "is not JSON"),
        (b"{}", "messages", "Field required"),
        (line(), "messages", "at least 1"),
        (line(SYSTEM), "messages", "must end with an answer"),
        (line(USER), "messages", "must end with an answer"),
        (line(SYSTEM, USER), "messages", "must end with an answer"),
        (line(ANSWER, USER), "messages[0].role", "expected 'user'"),
        (line(USER, USER), "messages[1].role", "expected 'assistant'"),
        (line(USER, ANSWER, USER), "messages", "must end with an answer"),
        (line(USER, SYSTEM, ANSWER), "messages[1].role", "can only be the first"),
        (line(SYSTEM, SYSTEM, USER, ANSWER), "messages[1].role", "can only be the first"),
        (line({"role": "tool", "content": "x"}, ANSWER), "messages[0].role", "'system', 'user' or 'assistant'"),
        (line({"role": "user", "content": ""}, ANSWER), "messages[0].content", "at least 1"),
        (line({"role": "user", "content": "  "}, ANSWER), "messages[0].content", "is empty"),
        (line({"role": "user", "content": 3}, ANSWER), "messages[0].content", "valid string"),
        (line({"role": "user"}, ANSWER), "messages[0].content", "Field required"),
        (line({"role": "user", "content": {"$ne": None}}, ANSWER), "messages[0].content", "valid string"),
        (line(USER, ANSWER, prompt="p"), "prompt", "another format"),
        (line(USER, ANSWER, tools=[]), "tools", "another format"),
        (row(instruction="i"), "output", "Field required"),
        (row(instruction="i", output=" "), "output", "is empty"),
        (row(instruction="i", output="o", history=[["q"]]), "history[0][1]", "Field required"),
        (row(instruction="i", output="o", prompt="p"), "prompt", "another format"),
        (row(prompt="p"), "completion", "Field required"),
        (row(prompt="", completion="c"), "prompt", "is empty"),
        (row(input="i"), "output", "Field required"),
        (row(text="t", completion="c"), "completion", "another format"),
        (row(text="t", source="s"), "source", "not allowed"),
        (row(text="\n"), "text", "is empty"),
        (row(conversations=[]), "conversations", "another format"),
    ],
)
def test_a_bad_row_is_refused_with_line_field_and_reason(content: bytes, field: str, reason: str) -> None:
    with pytest.raises(BadRow) as refused:
        read_row(7, content)
    [error, *_] = refused.value.errors
    assert (error.line, error.field) == (7, field)
    assert reason in error.reason


def test_a_file_with_bad_rows_is_refused_and_every_line_is_named() -> None:
    content = lines(20)
    content[3] = b"{oops"
    content[11] = line(USER)
    with pytest.raises(DatasetRefused) as refused:
        read_file(b"\n".join(content), drop_bad_rows=False)
    assert (refused.value.rows, refused.value.bad_rows) == (20, 2)
    assert [error.line for error in refused.value.errors] == [4, 12]


def test_bad_rows_are_dropped_and_counted_when_that_was_asked_for() -> None:
    checked = read_file(b"\n".join([*lines(20), b"{oops", b"", lines(1)[0]]), drop_bad_rows=True)
    assert (checked.rows, len(checked.examples), checked.dropped_rows, checked.duplicate_rows) == (22, 20, 1, 1)


def test_a_file_from_windows_is_read_as_any_other() -> None:
    assert len(read_file(b"\xef\xbb\xbf" + b"\r\n".join(lines(12)), drop_bad_rows=False).examples) == 12


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\n".join(lines(9)), b"\n".join(lines(1) * 50)])
def test_a_file_with_too_few_rows_is_refused(content: bytes) -> None:
    with pytest.raises(DatasetRefused) as refused:
        read_file(content, drop_bad_rows=False)
    assert "at least 10" in refused.value.errors[0].reason


@given(st.integers(10, 200), st.integers(0, 2**31 - 1))
def test_a_split_is_disjoint_complete_and_repeatable(count: int, seed: int) -> None:
    checked = read_file(b"\n".join(lines(count)), drop_bad_rows=False)
    parts = checked.split(seed)
    all_parts = [*parts.train, *parts.validation, *parts.test]
    assert len(all_parts) == len({row.line() for row in all_parts}) == count
    shuffled = CheckedFile(count, tuple(reversed(checked.examples)), 0, 0).split(seed)
    assert {row.line() for row in shuffled.test} == {row.line() for row in parts.test}
    assert min(len(parts.train), len(parts.validation), len(parts.test)) >= 1


def test_rows_with_the_same_prompt_stay_in_one_part() -> None:
    prompts = [{"role": "user", "content": f"q{n}"} for n in range(20)]
    answers = [{"role": "assistant", "content": f"a{n}"} for n in range(3)]
    content = [line(prompt, answer) for prompt in prompts for answer in answers]
    parts = read_file(b"\n".join(content), drop_bad_rows=False).split(seed=1)
    keys = [{row.prompt_key() for row in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, keys)) == 20
