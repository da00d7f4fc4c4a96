"""The event list of a fine-tuning job."""

from services.gateway.fine_tuning.domain.job_event import finished, rejected, scored
from shared.events import (
    Artifact,
    Candidate,
    EvalDone,
    Failure,
    ModelRejected,
    RuleOutcome,
    Score,
    TrainingFinished,
    Verdict,
)

STORED = Artifact(uri="file:///a", sha256="1" * 64, bytes=1)


def test_a_training_that_ended_early_says_why() -> None:
    event = TrainingFinished(job_id="job", status="succeeded", checkpoints=(30,), stop_reason="validation was perfect")
    assert finished(event).message.endswith("It ended early: validation was perfect")
    assert "ended early" not in finished(event.model_copy(update={"stop_reason": None})).message


def evaluation(items: int = 40, **errors: Failure) -> EvalDone:
    made = Candidate(job_id="job", step=3, base_model="b", model_name="m", adapter=STORED, lora_rank=4)
    scores = {"exact_match": Score(value=0.5, n=items)}
    named = {name.replace("_", "."): error for name, error in errors.items()}
    return EvalDone(
        candidate=made, suite="test", scores=scores, base_scores={}, samples=STORED, task_errors=dict(named)
    )


def test_an_evaluation_names_each_of_ten_broken_tasks() -> None:
    broken = {f"shop_task{n}": Failure(code="unknown_metric", message=f"reason {n}") for n in range(10)}
    event = scored(evaluation(**broken))
    assert event.level == "warn"
    assert all(f"shop.task{n} (unknown_metric)" in event.message for n in range(10))
    assert "exact_match 0.500" in event.message
    assert event.data["task_errors"]["shop.task7"] == {"code": "unknown_metric", "message": "reason 7"}


def test_an_evaluation_without_broken_tasks_is_information() -> None:
    event = scored(evaluation())
    assert (event.level, "Not scored" in event.message, event.data["task_errors"]) == ("info", False, {})


def test_more_broken_tasks_than_an_event_holds_are_in_the_report() -> None:
    broken = {f"shop_task{n}": Failure(code="no_file", message="gone") for n in range(50)}
    assert scored(evaluation(**broken)).message.endswith("; more are in the evaluation's report")


def test_a_small_split_says_what_it_cannot_tell() -> None:
    assert "20 items cannot confirm a difference of less than 30 % between two models" in scored(evaluation(20)).message
    assert "cannot confirm" not in scored(evaluation(30)).message


def test_a_rejection_names_each_failed_rule_once() -> None:
    def rule(name: str, reason: str) -> RuleOutcome:
        return RuleOutcome(rule=name, figure=None, limit=None, passed=False, reason=reason)

    rules = (rule("exact_match at least 0.8", "n 40"), rule("bleu at least 0.3", "bleu was not measured"))
    why = "it failed 2 of 2 rules: exact_match at least 0.8: 0.500 (n 40)"
    verdict = Verdict(approved=False, mode="automatic", policy="quick", rules=rules, reason=why)
    event = rejected(ModelRejected(job_id="ftjob-1", candidate=None, verdict=verdict))
    assert event.message == f"Not approved by policy quick: {why}; bleu at least 0.3: bleu was not measured"
