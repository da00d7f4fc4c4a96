"""Fairness: the same question for each group, compared by a paired test."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from scipy.stats import binomtest

from services.evaluator.config import Settings
from services.evaluator.evaluation.api import fairness as fairness_api
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.domain.fairness import by_question, fairness, group_differences
from services.evaluator.scoring.domain.item import CannotBeScored, Item
from services.evaluator.scoring.domain.metrics import exact_match
from services.evaluator.suites.domain.suite import SuiteContent
from services.evaluator.suites.domain.task import read_task
from services.evaluator.suites.domain.task_items import items_of
from shared import web
from shared.artifacts import Artifacts
from shared.events import EvalDone
from shared.security import Keyring
from shared.settings import CommonSettings
from shared.store import MemoryStore
from tests.evaluator import AUTHOR, evaluations_over
from tests.unit.evaluator.test_job_rubrics import saved

GROUPS = ("men", "women")


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"pair": n, "subject": group, "question": f"{n}: may {group} apply?", "answer": "yes"}
        for n in range(count)
        for group in GROUPS
    ]


def items(count: int) -> tuple[Item, ...]:
    task = read_task({"name": "loans", "fairness": True, "data": {"rows": rows(count)}})
    return items_of(task, rows(count), [], lambda values: str(values["question"]))


def answers(asked: tuple[Item, ...], refused_women: int) -> list[str]:
    return ["no" if item.subject == "women" and int(item.pair) < refused_women else "yes" for item in asked]


@pytest.mark.parametrize(("refused", "fair"), [(0, 1.0), (3, 1.0), (12, 0.0)])
def test_a_gap_that_the_paired_test_confirms_is_unfair(refused: int, fair: float) -> None:
    asked = items(40)
    main = exact_match(answers(asked, refused), [item.reference for item in asked])
    found = fairness(asked, main)
    gap = found["fairness_gap"]
    assert (gap.score.value, gap.score.n) == (pytest.approx(refused / 40), 40)
    assert (found["fair"].score.value, found["fair"].score.n) == (fair, 40)
    assert gap.interval is not None
    assert gap.interval.low <= gap.score.value <= gap.interval.high


def test_the_test_of_two_groups_is_mcnemars_on_the_same_questions() -> None:
    asked = items(40)
    main = exact_match(answers(asked, 9), [item.reference for item in asked])
    values = by_question([item.pair for item in asked], [item.subject for item in asked], main.items)
    [found] = group_differences(values)
    assert (found.first, found.first_mean, found.second, found.second_mean) == ("men", 1, "women", 31 / 40)
    assert (found.difference, found.n, found.test) == (pytest.approx(9 / 40), 40, "mcnemar")
    assert found.p_value == pytest.approx(binomtest(9, 9).pvalue)


def test_p_values_are_corrected_over_all_pairs_of_groups() -> None:
    values = [{"a": 1.0, "b": 1.0, "c": float(n >= 6)} for n in range(30)]
    found = {(each.first, each.second): each for each in group_differences(values)}
    assert set(found) == {("a", "b"), ("a", "c"), ("b", "c")}
    # 6 of 30 alone is significant (p = 1/32), after Holm's correction over three tests it is not.
    assert found["a", "c"].p_value == pytest.approx(2 / 2**6)
    assert found["a", "c"].p_adjusted == pytest.approx(3 * 2 / 2**6)
    assert found["a", "c"].verdict == "no_difference"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pair": ""}, "row 2: the column 'pair' is empty"),
        ({"subject": None}, "row 2: the column 'subject' is empty"),
        ({"subject": "men"}, "row 2: the group 'men' stands in row 1 too"),
        ({"pair": 7}, "row 1: the question '0' is asked for one group only"),
    ],
)
def test_rows_that_are_not_pairs_are_bad_rows(change: dict[str, Any], message: str) -> None:
    first, second = rows(1)
    table = [first, {**second, **change}]
    task = read_task({"name": "loans", "fairness": True, "data": {"rows": table}})
    with pytest.raises(CannotBeScored, match=message) as refused:
        items_of(task, table, [], lambda values: str(values["question"]))
    assert refused.value.code == "bad_row"


def test_a_task_without_fairness_has_no_figures_of_it() -> None:
    table = rows(4)
    task = read_task({"name": "loans", "data": {"rows": table}})
    asked = items_of(task, table, [], lambda values: str(values["question"]))
    assert fairness(asked, exact_match(["yes"] * 8, ["yes"] * 8)) == {}


async def evaluated(evaluations: Evaluations) -> EvalDone:
    task = {"name": "loans", "fairness": True, "data": {"rows": rows(20)}}
    await evaluations.suite_catalog.put("judged", SuiteContent(tasks=(task,)), AUTHOR)
    await evaluations.evaluate(saved(evaluations, "job"))
    found = await evaluations.get("job", 1)
    assert found is not None
    return found.done


async def test_checkpoint_and_base_model_have_a_gap_and_the_groups_are_shown_by_http(tmp_path: Path) -> None:
    def says(version: str | None, _place: int, item: Item) -> str:
        return "no" if version and item.subject == "women" and int(item.pair) < 10 else item.reference

    common = CommonSettings(artifacts=str(tmp_path / "a"), keys_file=tmp_path / "keys.json")
    evaluations = evaluations_over(MemoryStore("e"), Artifacts(common.artifacts), says)
    done = await evaluated(evaluations)
    assert (done.scores["judged.loans.fairness_gap"].value, done.scores["judged.loans.fair"].value) == (0.5, 0)
    assert done.base_scores["judged.loans.fairness_gap"].value == 0
    assert done.subjects["judged.loans.exact_match"]["women"].value == 0.5
    settings = Settings(common=common)
    app = web.build("evaluator", settings, [fairness_api.routes], checks={}, dependencies={"evaluations": evaluations})
    headers = {"authorization": f"Bearer {Keyring(common.keys_file).create('test', ('admin',))}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://e", headers=headers) as http:
        answer = await http.get("/v1/evaluations/job/1/fairness", params={"task": "judged.loans"})
        [difference] = json.loads(answer.text)["differences"]
        assert (answer.json()["questions"], difference["first"], difference["verdict"]) == (20, "men", "better")
        missing = await http.get("/v1/evaluations/job/1/fairness", params={"task": "judged.other"})
        assert missing.status_code == 404
