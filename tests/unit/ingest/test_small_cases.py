"""Small files with one fault of a kind that users of other tools reported."""

from tests.prepared import chat, check, filler, jsonl


def test_weights_are_kept_and_wrong_ones_are_refused_by_field() -> None:
    def row(first: dict, last: dict) -> dict:
        question = {"role": "user", "content": "Who paints the blue vases?"}
        sure = {"role": "user", "content": "Are you sure?"}
        first, last = (
            {"role": "assistant", "content": text, **more} for text, more in ((("Marek"), first), ("Ines", last))
        )
        return {"messages": [question, first, sure, last]}

    weighted, plain = row({"weight": 0}, {"weight": 1}), row({}, {})
    checked = check(jsonl([weighted, plain, *filler()]))
    assert checked.report.counts.duplicates == 0
    assert [message.get("weight", 1) for message in checked.rows[0]["messages"]] == [1, 0, 1, 1]
    assert checked.rows[0] != checked.rows[1]
    bad = [chat("a?", "b", weight=0.5), chat("a?", "b", weight="0"), chat("a?", "b", weight=0)]
    assert [(e.line, e.code) for e in check(jsonl(bad)).report.errors] == [
        (1, "bad_weight"),
        (2, "bad_weight"),
        (3, "nothing_to_learn"),
    ]


def test_calls_beside_text_are_kept_and_what_models_do_not_see_is_noticed() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"table":4}'}}
    rows = [chat("Book table four", "One moment.", tool_calls=[call]), chat("Cancel it", "Done.", refusal=None)]
    rows[1]["messages"][0]["name"] = "lee"
    rows[1]["parallel_tool_calls"] = False
    checked = check(jsonl([*rows, *filler()]))
    answer = checked.rows[0]["messages"][1]
    assert (answer["content"], answer["tool_calls"]) == ("One moment.", [call])
    assert checked.rows[1]["messages"][0]["name"] == "lee"
    assert checked.rows[1]["parallel_tool_calls"] is False
    found = {(one.line, one.code) for one in checked.report.notices}
    assert found == {(1, "undefined_tool"), (2, "name_not_shown"), (2, "not_learned")}


def test_a_repeated_key_is_refused_by_line_at_any_depth() -> None:
    content = (
        b'{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"green","content":"red"}]}\n'
        b'{"messages":[],"messages":[{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}\n'
        b'{"messages":[{"role":"user","content":"x"},{"role":"assistant","content" :"a","content" :"b:"}]}\n'
    )
    errors = check(content + jsonl(filler())).report.errors
    assert [(one.line, one.code) for one in errors] == [(1, "repeated_key"), (2, "repeated_key"), (3, "repeated_key")]


def test_colons_and_quotes_in_texts_are_not_taken_for_keys() -> None:
    rows = [chat('a":b":c', 'say "x": 1'), chat("c : d", "\\u0041"), *filler()]
    checked = check(jsonl(rows))
    assert checked.report.errors == []
    assert checked.rows == rows


def test_questions_that_differ_by_case_or_spacing_share_a_split() -> None:
    questions = [f"How do I return item {n} of my order?" for n in range(60)]
    variants = [*questions, *(f"  {q} " for q in questions), *(q.upper() for q in questions)]
    checked = check(jsonl([chat(question, f"Use label {n}.") for n, question in enumerate(variants)]))
    for question in questions:
        assert checked.part_of(question) == checked.part_of(f"  {question} ") == checked.part_of(question.upper())
    assert min(map(len, checked.splits.values())) > 0


def test_contradicting_answers_are_listed_with_their_lines() -> None:
    rows = [chat("When does it close?", "At five."), *filler(), chat("when does it close? ", "At six.")]
    [found] = check(jsonl(rows)).report.contradictions
    assert (found.lines, found.answers) == ([1, 14], ["At five.", "At six."])


def test_dialogues_that_end_in_the_same_question_are_not_near() -> None:
    def dialogue(lamp: int) -> dict:
        said = [f"Tell me about lamp {lamp}.", f"Lamp {lamp} has bulbs.", "And what does it cost then?", "20 euros."]
        roles = ("user", "assistant", "user", "assistant")
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]}

    checked = check(jsonl([dialogue(n) for n in range(40)]))
    assert checked.report.twins.near == 0
