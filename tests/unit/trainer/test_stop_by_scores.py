"""The evaluator's scores decide the best checkpoint and, by the requested rules, stop a run."""

import pytest

from services.trainer.domain.stopping.stop_by_scores import CheckpointScores, best_step, stop_reason
from shared.events import Hyperparameters


def scores(*values: float, general: tuple[float, ...] = (), base: float = 0.5) -> list[CheckpointScores]:
    """Evaluations at steps 10, 20, …"""
    made = []
    for n, value in enumerate(values):
        others = {"general.score": general[n]} if general else {}
        made.append(
            CheckpointScores(
                step=10 * (n + 1), scores={"exact_match": value, **others}, base_scores={"general.score": base}
            )
        )
    return made


def test_the_best_checkpoint_is_the_earliest_of_the_highest() -> None:
    assert best_step(scores(0.2, 0.9, 0.9, 0.4), None) == 20
    assert best_step(scores(0.2, 0.9, general=(0.5, 0.4)), "general.score") == 10
    assert best_step(scores(0.2), "bleu") is None
    assert best_step([], None) is None


@pytest.mark.parametrize(
    ("values", "asked", "reason"),
    [
        ((0.9, 0.7), {"early_stopping_drop": 0.1}, "exact_match fell from 0.900 at step 10 to 0.700 at step 20"),
        ((0.9, 0.85), {"early_stopping_drop": 0.1}, None),
        ((0.9, 0.2, 0.9), {"early_stopping_drop": 0.1}, None),
        ((0.9, 0.8, 0.9), {"early_stopping_patience": 2}, "did not rise above the 0.900 of step 10 in 2 evaluations"),
        ((0.9, 0.8, 0.95), {"early_stopping_patience": 2}, None),
        ((0.9, 0.8), {"early_stopping_patience": 2}, None),
        ((0.9, 0.1, 0.1, 0.1), {}, None),
        ((0.9, 0.1), {"early_stopping_metric": "bleu", "early_stopping_drop": 0.1}, None),
    ],
)
def test_a_run_stops_when_the_score_of_its_task_falls_or_no_longer_rises(
    values: tuple[float, ...], asked: dict[str, object], reason: str | None
) -> None:
    found = stop_reason(scores(*values), Hyperparameters.model_validate(asked))
    assert (found is None) if reason is None else (reason in (found or ""))


@pytest.mark.parametrize(
    ("values", "items", "asked", "reason"),
    [
        ((0.9, 1.0, 1.0), 40, None, "all 40 answers were right at steps 20 and 30"),
        ((1.0, 0.9, 1.0), 40, None, None),
        ((1.0, 1.0), 9, None, None),
        ((1.0, 1.0), 40, False, None),
    ],
)
def test_a_run_stops_by_default_after_two_perfect_checkpoints_in_a_row(
    values: tuple[float, ...], items: int, asked: bool | None, reason: str | None
) -> None:
    perfect = [at.model_copy(update={"items": {"exact_match": items}}) for at in scores(*values)]
    assert stop_reason(perfect, Hyperparameters(early_stopping=asked)) == reason


@pytest.mark.parametrize(("general", "stops"), [((0.5, 0.48), False), ((0.5, 0.4), True), ((0.4, 0.5), False)])
def test_a_run_stops_when_it_loses_too_much_general_ability(general: tuple[float, ...], stops: bool) -> None:
    asked = Hyperparameters(general_metric="general.score", general_drop=0.05)
    found = stop_reason(scores(0.5, 0.9, general=general), asked)
    assert (found is not None) is stops
    if found:
        assert found == "general.score is 0.400 at step 20, and 0.500 before training: more than 0.05 lost"


def test_the_order_in_which_scores_arrive_does_not_matter() -> None:
    asked = Hyperparameters(early_stopping_patience=2, early_stopping_drop=0.3)
    ordered = scores(0.5, 0.9, 0.8, 0.85)
    assert stop_reason(ordered, asked) == stop_reason(ordered[::-1], asked)
    assert best_step(ordered[::-1], None) == 20
