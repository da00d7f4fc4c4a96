"""Warm starts from earlier checkpoints, and general rows against forgetting."""

from collections import Counter
from typing import Any

import pytest

from services.trainer.domain.auto_hyperparameters import BaseShape
from services.trainer.domain.errors import PlanRefused
from services.trainer.domain.rows.general_rows import general_row_count, sample_rows
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.training_run import TrainingRun
from services.trainer.domain.tuning import Tuning
from services.trainer.domain.warm_start import warm_start
from shared.events import Hyperparameters, TrainingRequested, TrainingSpec
from tests.unit.trainer.test_training_run import run_of, written

SHAPE = BaseShape(hidden_size=64, blocks=2)


@pytest.fixture
def earlier() -> TrainingRun:
    return run_of({"lora_rank": 4}).start("a", 1).add_checkpoint(written(3)).add_checkpoint(written(6))


def asking(base_model: str = "base", owner: str = "", **asked: Any) -> TrainingRequested:
    chosen = Hyperparameters.model_validate({"start_job": "job", **asked})
    spec = TrainingSpec(base_model=base_model, hyperparameters=chosen)
    return TrainingRequested(job_id="next", training_file="file", spec=spec, owner=owner)


def test_a_warm_start_uses_the_requested_else_the_best_else_the_last_checkpoint(earlier: TrainingRun) -> None:
    start, tuning = warm_start(earlier, asking(start_step=3, start_optimizer=True))
    assert (start.job_id, start.step, start.state, start.with_optimizer) == ("job", 3, written(3).state, True)
    assert tuning == Tuning(rank=4, alpha=8)
    assert warm_start(earlier, asking())[0].step == 6
    scored = earlier.add_scores(CheckpointScores(step=3, scores={"exact_match": 0.9}, base_scores={}))
    assert warm_start(scored, asking())[0].step == 3
    assert not warm_start(earlier, asking())[0].with_optimizer


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"start_step": 4}, "start_not_found", "has no checkpoint of step 4; its checkpoints: 3, 6"),
        ({"owner": "somebody else"}, "start_not_found", "there is no job 'job'"),
        ({"base_model": "other"}, "invalid_hyperparameter", "job job trained base, but this job names other"),
    ],
)
def test_unsuitable_checkpoints_are_refused(
    earlier: TrainingRun, asked: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(PlanRefused, match=message) as refused:
        warm_start(earlier, asking(**asked))
    assert refused.value.code == code


def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(PlanRefused, match="there is no job 'job'"):
        warm_start(None, asking())


def test_the_tuning_of_the_checkpoint_is_continued(earlier: TrainingRun) -> None:
    _, tuning = warm_start(earlier, asking())
    plan = plan_training("next", asking().spec, "name", 10, SHAPE, tuning)
    assert plan.tuning == tuning
    assert "like the checkpoint" in plan.reasons["tuning"]
    assert plan_training("next", asking(lora_rank=4).spec, "name", 10, SHAPE, tuning).tuning == tuning
    for asked in ({"lora_rank": 8}, {"use_dora": True}):
        with pytest.raises(PlanRefused, match="in the job that this job starts from"):
            plan_training("next", asking(**asked).spec, "name", 10, SHAPE, tuning)


def test_an_added_method_is_decided_anew_and_published_as_a_whole_model(earlier: TrainingRun) -> None:
    full = plan_training("next", asking(tuning="full").spec, "name", 10, SHAPE, warm_start(earlier, asking())[1])
    assert (full.tuning, full.tuning.published_as) == (Tuning(kind="full"), "full")
    lora = plan_training("next", asking(tuning="lora").spec, "name", 10, SHAPE, full.tuning).tuning
    assert lora == Tuning(rank=8, alpha=16, over_whole=True)
    assert (lora.makes_an_adapter, lora.published_as) == (False, "full")
    with pytest.raises(PlanRefused, match="the optimizer state of full does not fit lora"):
        plan_training("next", asking(tuning="lora", start_optimizer=True).spec, "name", 10, SHAPE, full.tuning)


def test_an_adapter_over_an_earlier_model_is_continued_from_its_published_model(earlier: TrainingRun) -> None:
    assert earlier.plan is not None
    over = earlier.plan.model_copy(update={"tuning": Tuning(rank=4, alpha=8, over_whole=True)})
    start, tuning = warm_start(earlier.model_copy(update={"plan": over}), asking())
    assert start.state == written(6).adapter != written(6).state
    assert plan_training("next", asking().spec, "name", 10, SHAPE, tuning).tuning == over.tuning
    with pytest.raises(PlanRefused, match="published a merged model"):
        warm_start(earlier.model_copy(update={"plan": over}), asking(start_optimizer=True))


@pytest.mark.parametrize(("share", "count"), [(None, 10), (0.5, 90), (0.1, 10), (0.9, 810), (0.001, 1)])
def test_general_rows_make_up_the_requested_share_of_all_rows(share: float | None, count: int) -> None:
    reasons: dict[str, str] = {}
    assert general_row_count(Hyperparameters(general_file="g", general_share=share), 90, reasons) == count
    assert ("general_share" in reasons) is (share is None)
    asked = TrainingSpec(base_model="base", hyperparameters=Hyperparameters(general_file="g", general_share=share))
    plan = plan_training("job", asked, "name", 90, SHAPE)
    assert (plan.rows, plan.general_rows) == (90 + count, count)


def test_a_general_share_without_a_file_is_refused() -> None:
    with pytest.raises(PlanRefused, match="needs a general_file"):
        general_row_count(Hyperparameters(general_share=0.2), 90, {})


def test_general_rows_are_sampled_evenly_and_deterministically() -> None:
    rows = list(range(7))
    found = sample_rows(rows, 17, 3)
    assert sorted(Counter(found).values()) == [2, 2, 2, 2, 3, 3, 3]
    assert found == sample_rows(rows, 17, 3) != sample_rows(rows, 17, 4)
    assert len(set(sample_rows(rows, 5, 3))) == 5
    assert sample_rows([], 0, 3) == []
