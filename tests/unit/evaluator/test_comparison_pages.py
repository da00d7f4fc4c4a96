"""What a comparison's page makes of its figures: the order of lines, marked differences, pictures."""

from dataclasses import replace

from services.evaluator.comparison.domain.item_difference import difference_of, passes
from services.evaluator.comparison.domain.model_facts import fact_lines, facts_of
from services.evaluator.comparison.domain.side_by_side import ModelResults
from services.evaluator.comparison.service import CompleteComparison, compared
from services.evaluator.evaluation.domain.evaluation import Evaluation
from services.evaluator.pages.comparison_view import ComparisonView, ItemChoice
from services.evaluator.pages.word_diff import MOST_WORDS, word_diff
from shared.events import Artifact, Candidate, EvalDone, Score


def rows(*right: bool, task: str = "accuracy") -> list[dict[str, object]]:
    return [
        {
            "prompt": [{"role": "user", "content": f"q{n}"}],
            "reference": "a",
            "answer": "a",
            "scores": {task: float(good)},
        }
        for n, good in enumerate(right)
    ]


def two(mine: list[bool], other: list[bool]) -> CompleteComparison:
    sides = [ModelResults("j/1", {"": rows(*other)}), ModelResults("j/2", {"": rows(*mine)})]
    return compared(sides)


def test_the_largest_loss_is_the_first_item_and_gains_are_sorted_the_other_way():
    view = ComparisonView(two([False, True, True], [True, False, True]), ItemChoice(), checkpoints=True)
    assert (view.looked_at, view.which, view.filter_counts) == (
        "j/2",
        "lost",
        {"lost": 1, "gained": 1, "changed": 2, "all": 3},
    )
    assert [item.place for item in view.shown_items] == [1]
    every = ComparisonView(two([False, True, True], [True, False, True]), ItemChoice(which="all"), checkpoints=True)
    assert [item.place for item in every.shown_items] == [1, 3, 2]


def test_an_item_without_a_score_is_neither_gained_nor_lost():
    scored, without = rows(True)[0], {**rows(True)[0], "scores": {}}
    item = difference_of("", 1, {"j/1": scored, "j/2": without})
    assert item.difference("j/2") is None
    assert not passes(item, "changed", "j/2")


def test_a_page_beyond_the_last_one_is_the_last_one():
    view = ComparisonView(two([True] * 50, [True] * 50), ItemChoice(which="all", page=99), checkpoints=True)
    assert (view.page, view.page_count, len(view.shown_items)) == (3, 3, 10)


def test_answers_are_compared_by_words_and_by_signs_in_chinese():
    parts = word_diff("Within 5 days.", "Within 14 days.")
    assert parts is not None
    assert [(part.kind, part.text) for part in parts.parts] == [
        ("same", "Within "),
        ("del", "5 "),
        ("ins", "14 "),
        ("same", "days."),
    ]
    chinese = word_diff("请低温烘干", "请高温烘干")
    assert chinese is not None
    assert [part.text for part in chinese.parts if part.kind != "same"] == ["低", "高"]


def test_only_an_answer_that_shares_almost_no_word_with_the_reference_is_unlike_it():
    reference = '{"street":"67 Derby Street","city":"Hanover","name":"Vera Mendes"}'
    answers = {
        "I'm sorry, but I specialize in customer support for products.": True,
        "The order goes to Vera Mendes again.": False,
        '{"street":"67 Derby Street"}': False,
    }
    for answer, is_unlike in answers.items():
        diff = word_diff(reference, answer)
        assert diff is not None
        assert diff.is_unlike == is_unlike, answer
    for reference, answer in (("yes", "Yes, that is right."), ("", "Yes."), ("请低温烘干", "请高温烘干")):
        diff = word_diff(reference, answer)
        assert diff is not None
        assert not diff.is_unlike, answer


def test_the_main_metric_comes_first_in_the_table_and_in_every_picture():
    scores = {"bleu": 0.1, "exact_match": 1.0, "rouge_l": 0.5}
    worse = {"bleu": 0.0, "exact_match": 1.0, "rouge_l": 0.0}
    row = {"prompt": [{"role": "user", "content": "q"}], "reference": "a", "answer": "a"}
    sides = [
        ModelResults(name, {"": [{**row, "scores": own}] * 20}, {each: Score(value=v, n=20) for each, v in own.items()})
        for name, own in (("j/1", scores), ("j/2", worse))
    ]
    view = ComparisonView(compared(sides), ItemChoice(), checkpoints=True)
    assert [line.metric for line in view.lines] == ["exact_match", "bleu", "rouge_l"]
    assert [line.metric for line in view.bar_lines] == ["exact_match", "bleu", "rouge_l"]
    assert [line.metric for line in view.radar_lines] == ["exact_match", "bleu", "rouge_l"]
    assert [model.name for model in view.radar_models] == ["j/1", "j/2"]


def test_checkpoints_of_the_same_name_and_step_are_told_apart_by_their_jobs():
    found = replace(
        two([True], [True]),
        candidates={
            "j/1": checkpoint("ftjob-3e91c7aa", 10, 8, "a").done.candidate,
            "j/2": checkpoint("ftjob-9d88bfbb", 10, 8, "b").done.candidate,
        },
    )
    models = ComparisonView(found, ItemChoice(), checkpoints=True).models
    assert [model.job_hint for model in models] == ["ftjob-3e91c7", "ftjob-9d88bf"]


def test_texts_that_are_too_long_are_not_compared():
    assert word_diff("a " * MOST_WORDS, "b") is None


def checkpoint(job: str, step: int, rank: int, rows: str, rate: float | None = None) -> Evaluation:
    artifact = Artifact(uri="memory://x", sha256=rows * 64, bytes=1)
    candidate = Candidate(
        job_id=job,
        step=step,
        base_model="b",
        model_name="m",
        adapter=artifact,
        lora_rank=rank,
        learning_rate=rate,
        n_epochs=3,
        batch_size=16,
    )
    done = EvalDone(candidate=candidate, suite="s", scores={}, base_scores={}, samples=artifact)
    return Evaluation(id=f"{job}/{step}", job_id=job, step=step, evaluated_at=1, done=done, train=artifact)


def test_what_differs_between_jobs_comes_first():
    lines = fact_lines([facts_of(checkpoint("j", 10, 8, "a", 2e-4)), facts_of(checkpoint("k", 10, 16, "b"))])
    differing = {line.fact: line.values for line in lines if line.differs}
    assert differing == {
        "training_rows": ("a" * 12, "b" * 12),
        "lora_rank": ("8", "16"),
        "learning_rate": ("0.0002", None),
    }
    assert [line.differs for line in lines] == [*[True] * 3, *[False] * 7]
