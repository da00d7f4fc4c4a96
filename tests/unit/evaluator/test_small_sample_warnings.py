"""A small split or task says what it cannot tell."""

from services.evaluator.evaluation.domain.score_warnings import small_sample_warnings
from shared.events import Artifact, Candidate, EvalDone, Interval, Score

STORED = Artifact(uri="file:///a", sha256="1" * 64, bytes=1)


def done(scores: dict[str, Score]) -> EvalDone:
    made = Candidate(job_id="job", step=3, base_model="b", model_name="m", adapter=STORED, lora_rank=4)
    interval = Interval(low=0.55, high=0.95, level=0.95, method="wilson")
    return EvalDone(
        candidate=made,
        suite="test",
        scores=scores,
        base_scores={},
        samples=STORED,
        intervals={"exact_match": interval},
        split="validation",
    )


def test_a_small_split_and_a_small_task_each_have_one_warning() -> None:
    small, large = Score(value=0.83, n=12), Score(value=0.5, n=40)
    scores = {"bleu": small, "exact_match": small, "shop.faq.fuzzy": Score(value=0.4, n=4), "shop.long.fuzzy": large}
    assert small_sample_warnings(done({**scores, "shop.score": Score(value=0.4, n=2)})) == [
        "validation split: 12 items cannot confirm a difference of less than 50 % between two models, "
        "and exact_match 0.83 lies between 0.55 and 0.95",
        "shop.faq: 4 items cannot confirm any difference between two models, and fuzzy 0.40 is uncertain",
    ]


def test_enough_items_need_no_warning() -> None:
    assert small_sample_warnings(done({"exact_match": Score(value=0.8, n=30)})) == []
