"""A job's status follows from the facts, in whatever order they are heard, and never goes back."""

from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.fine_tuning.domain.job import ORDER, TERMINAL, Job, apply_facts, with_facts, with_pause
from shared.events import Failure, ModelDeployed, TrainingFinished
from tests.gateway import approved, candidate, rejected, review

MADE = candidate("ftjob-1")
DEPLOYED = ModelDeployed(candidate=MADE, alias="address", replicas=1, duration_s=0.5)
DONE = TrainingFinished(job_id="ftjob-1", status="succeeded", trained_tokens=5)
FAILED = TrainingFinished(job_id="ftjob-1", status="failed", error=Failure(code="diverged", message="NaN at step 3"))
FACTS: dict[str, object] = {
    "queued": True,
    "started": True,
    "cancelled": True,
    "bad_file": Failure(code="invalid_training_file", message="line 5: is empty"),
    "finished": DONE,
    "review": review(MADE),
    "approved": approved(MADE),
    "rejected": rejected(MADE, "exact match 0.2 is below 0.8"),
    "deployed": DEPLOYED,
}


def after(*names: str) -> Job:
    job = Job(id="ftjob-1")
    for name in names:
        job = apply_facts(job, 100.0, **{name: FACTS[name]})
    return job


@given(st.lists(st.sampled_from(sorted(FACTS))))
def test_a_status_only_advances_and_what_is_over_stays(names: list[str]) -> None:
    seen = [after(*names[:n]) for n in range(len(names) + 1)]
    for before, later in pairwise(seen):
        assert ORDER.index(later.status) >= ORDER.index(before.status)
        if before.status in TERMINAL:
            assert (later.status, later.error, later.finished_at) == (before.status, before.error, before.finished_at)
    assert (seen[-1].error is not None) == (seen[-1].status == "failed")


def test_the_order_in_which_a_good_job_is_heard_of_does_not_matter() -> None:
    for order in permutations(("queued", "started", "finished", "approved", "deployed")):
        job = after(*order)
        assert (job.status, job.model) == (
            "succeeded",
            "ft:smollm2-135m-instruct:assay:address:"
            + MADE.model_name.removesuffix(":ckpt-step-20").rpartition(":")[2],
        )


def test_a_trained_job_runs_until_the_verdict_and_the_deployment() -> None:
    assert after("queued").status == "queued"
    assert after("queued", "started", "finished").status == "running"
    assert after("queued", "started", "finished", "approved").status == "running"
    assert after("queued", "started", "finished", "approved").model is None


def test_a_job_that_waits_for_people_has_succeeded_and_stays_so_when_they_say_no() -> None:
    job = after("started", "finished", "review", "rejected")
    assert (job.status, job.error) == ("succeeded", None)
    assert job.model == MADE.model_name.removesuffix(":ckpt-step-20")


def test_a_failed_job_says_why() -> None:
    refused = after("started", "finished", "rejected").error
    assert refused is not None
    assert (refused.code, refused.message) == ("model_not_approved", "exact match 0.2 is below 0.8")
    assert after("bad_file").error == FACTS["bad_file"]
    assert apply_facts(Job(id="a"), 1.0, finished=FAILED).error == FAILED.error


@given(st.lists(st.sampled_from(sorted(FACTS))))
def test_that_a_job_is_over_is_news_exactly_once(names: list[str]) -> None:
    job, news = Job(id="ftjob-1", owner="key_1"), []
    for name in names:
        job, told = with_facts(job, 100.0, **{name: FACTS[name]})
        news += told
    assert [(ended.status, ended.owner, ended.error) for ended in news] == (
        [(job.status, "key_1", job.error)] if job.over else []
    )
    assert all(ended.fine_tuned_model == job.model for ended in news)


@given(st.permutations(range(1, 7)))
def test_of_pauses_and_resumes_the_one_said_last_holds_whatever_is_heard_first(changes: list[int]) -> None:
    job = Job(id="ftjob-1")
    for change in changes:
        job = with_pause(job, change % 2 == 1, change) or job
    assert (job.paused, job.change) == (False, 6)
    assert with_pause(after("cancelled"), True, 7) is None
