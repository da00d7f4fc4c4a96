"""Every sentence that a service writes into a verdict, a plan or advice is there in Chinese."""

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluator.evaluation.domain.score_warnings import small_sample_warnings
from services.evaluator.evaluation.domain.unread_answers import UnreadWarning
from services.ingest.statistics.advice import advise as advise_on_data
from services.ingest.statistics.lengths import Lengths
from services.review.panels.domain.reviewer_quality import findings
from services.review.policies.domain.evidence import HumanEvidence, Override
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import decide
from services.review.runs.domain.advice import Direction, Movement, advise
from services.review.runs.domain.choice import choose
from services.trainer.domain.auto_hyperparameters import BaseShape, MemoryBudget
from services.trainer.domain.rows.general_rows import general_row_count
from services.trainer.domain.stopping.stop_by_scores import CheckpointScores, stop_reason
from services.trainer.domain.stopping.stop_by_validation import Validation, early_stop
from services.trainer.domain.training_plan import plan_training
from services.trainer.domain.tuning import Tuning
from shared.events import Hyperparameters, Interval, TrainingSpec
from shared.pages.sentences import catalog, in_chinese, sentence
from shared.small_samples import limits_of
from tests.unit.review.evidence import evaluation, on_validation
from tests.unit.review.test_reviewer_quality import GOOD, rows
from tests.unit.review.test_verdict import CRITERIA, agreements, policies, shares

SAID_SO = Override(approved=True, by="Ana", reason="the questions were too easy; all of them", at=0)
INTERVAL = Interval(low=61.2, high=74.8, level=0.95, method="bootstrap")


def assert_chinese(*texts: str) -> None:
    left = [text for text in texts if text and in_chinese(text) is None]
    assert not left, "no pattern in sentences_zh.toml fits: " + "\n".join(left)


def test_a_sentence_without_a_pattern_is_shown_and_marked_as_english() -> None:
    assert sentence("a <b> is new", "zh") == '<span lang="en">a &lt;b&gt; is new</span>'
    assert sentence("it passed all 2 rules", "zh") == "通过了全部 2 条规则"
    assert sentence("exact_match at least 0.8", "en") == "exact_match at least 0.8"


def test_names_in_a_sentence_stay_text() -> None:
    assert "&lt;script&gt;" in sentence("<script> at least 0.8", "zh")
    assert in_chinese("{limit} at least 0.8") == "{limit} 不低于 0.8"


def test_both_languages_have_the_same_placeholders() -> None:
    placeholders = re.compile(r"{(\w+)}")
    for english, chinese in catalog().items():
        assert sorted(placeholders.findall(english)) == sorted(placeholders.findall(chinese)), english


@given(
    policies(),
    st.one_of(st.none(), shares),
    st.sampled_from([5, 12, 40]),
    st.one_of(st.none(), agreements),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([None, "better", "worse", "no_difference"]),
    st.booleans(),
)
def test_each_verdict(policy, figure, n, agreed, missing, verdict, is_overridden) -> None:
    found = evaluation(10, figure, n=n, verdict=verdict, production=0.4, error=None if figure != 0 else "refused: x")
    human = HumanEvidence(
        items=1 if missing else 20,
        missing=missing,
        reviewers=2,
        score=66.0,
        interval=INTERVAL,
        criteria=dict.fromkeys(CRITERIA, 3.0),
        agreement={} if agreed is None else dict.fromkeys(CRITERIA, agreed),
    )
    for evidence in (human, None):
        ruling = decide(policy, found, evidence, SAID_SO if is_overridden else None)
        assert_chinese(ruling.reason, *(text for rule in ruling.rules for text in (rule.rule, rule.reason)))


@pytest.mark.parametrize("make", [evaluation, on_validation])
def test_each_choice(make) -> None:
    policy = Policy.model_validate(
        {"name": "p", "mode": "automatic", "gates": [{"metric": "exact_match", "at_least": 0.5}]}
    )
    for figures in ([0.9], [0.1], [0.9, 0.1], [0.1, 0.1], [0.9, 0.8], [None]):
        chosen = choose(policy, [make(step, figure) for step, figure in enumerate(figures)])
        assert chosen is not None
        assert_chinese(chosen[1])


def test_each_advice_after_a_verdict() -> None:
    directions: tuple[Direction | None, ...] = ("up", "down", "same", None)
    for since in ("the last reviewed version", "the version in production"):
        for human, private, general in itertools.product(directions, repeat=3):
            found = advise((Movement(since=since, human=human, private=private, general=general),))
            if found is not None:
                assert_chinese(found.text)


def test_what_few_items_cannot_tell() -> None:
    assert_chinese(*(limits_of(n) for n in range(1, 30)))
    assert_chinese(*small_sample_warnings(evaluation(1, 0.5, n=12)), *small_sample_warnings(on_validation(1, 0.5)))
    assert_chinese(UnreadWarning("shop.faq.exact_match", 12, 20).words)


def test_each_finding_about_a_reviewer() -> None:
    good = {name: rows(GOOD, [20.0 + n % 5 for n in range(60)]) for name in "bcde"}
    for odd in (
        rows([80.0] * 60),
        rows([min(value + 25, 100) for value in GOOD]),
        rows([max(value - 25, 0) for value in GOOD]),
        rows([value + n for n, value in enumerate(GOOD)]),
        rows(GOOD, [2.0] * 60),
        rows(GOOD[::-1]),
    ):
        found = findings({"odd": odd, **good}, {"odd": [50, 25, 75]})
        assert found
        assert_chinese(*(each.reason for each in found))


def test_what_each_auto_becomes() -> None:
    tight = MemoryBudget(memory_bytes=2**31, row_tokens=2000)
    earlier = (None, Tuning(rank=8, alpha=16), Tuning(kind="full"), Tuning(kind="freeze", blocks=3))
    bases = (BaseShape(hidden_size=576, blocks=30), BaseShape(hidden_size=576, blocks=30, context=2048))
    bases += (BaseShape(hidden_size=576, blocks=30, context=8192, engine_context=2048),)
    asked: list[dict[str, Any]] = [{}, {"tuning": "full"}, {"tuning": "freeze"}]
    for base, before, budget, rows_there, hyperparameters in itertools.product(
        bases, earlier, (None, tight), (20, 3000), asked
    ):
        if before is not None and hyperparameters:
            continue
        spec = TrainingSpec(base_model="b", hyperparameters=Hyperparameters.model_validate(hyperparameters))
        made = plan_training("j", spec, "name", rows_there, base, before, budget, validation_rows=rows_there // 8)
        assert_chinese(*made.reasons.values())
        assert_chinese(*(reason.split(": ", 1)[-1] for reason in made.reasons.values()))
    reasons: dict[str, str] = {}
    general_row_count(Hyperparameters.model_validate({"general_file": "file-general"}), 3000, reasons)
    assert_chinese(*reasons.values())


def test_each_reason_to_stop_early() -> None:
    def scored(step: int, score: float, general: float = 0.5) -> CheckpointScores:
        scores = {"exact_match": score, "general.score": general}
        return CheckpointScores(step=step, scores=scores, base_scores={"general.score": 0.6}, items={"exact_match": 40})

    cases: list[tuple[list[CheckpointScores], dict[str, Any]]] = [
        ([scored(10, 1), scored(20, 1)], {}),
        ([scored(10, 0.9), scored(20, 0.2)], {"early_stopping_drop": 0.1}),
        ([scored(10, 0.9, 0.1)], {"general_metric": "general.score", "general_drop": 0.1}),
        ([scored(10, 0.9), scored(20, 0.8), scored(30, 0.8)], {"early_stopping_patience": 2}),
    ]
    for scores, asked in cases:
        reason = stop_reason(scores, Hyperparameters.model_validate(asked))
        assert reason is not None, asked
        assert_chinese(reason)
    for losses, accuracy in (([0.5] * 8, 0.5), ([0.5, 0.4], 1.0)):
        seen = [Validation(step=10 * n, loss=loss, accuracy=accuracy) for n, loss in enumerate(losses, start=1)]
        stop = early_stop(seen, 10_000)
        assert stop is not None
        assert_chinese(stop.reason)


@given(
    st.sampled_from([50, 3000, 20_000]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.03, 0.4]),
    st.sampled_from([None, 1024, 2048, 32_768]),
    st.sampled_from([{}, {"refund": 0.01, "other": 0.99}]),
    st.sampled_from([0, 3]),
)
def test_each_advice_on_data(rows_there, over_4k, over_8k, engine, labels, contradictions) -> None:
    lengths = Lengths(
        tokenizer="base",
        estimated=False,
        rows_measured=50,
        total_tokens=5000,
        percentiles={},
        longest=9000,
        share_over_4k=max(over_4k, over_8k),
        share_over_8k=over_8k,
        engine_context=engine,
        share_over_engine=0.2 if engine else None,
    )
    assert_chinese(*(each.text for each in advise_on_data(rows_there, lengths, labels, contradictions)))
