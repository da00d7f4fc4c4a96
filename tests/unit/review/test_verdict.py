"""The verdict as a function of the evidence, by properties and by the examples of the requirements."""

from hypothesis import given
from hypothesis import strategies as st

from services.review.policies.domain.evidence import Agreement, HumanEvidence, Override
from services.review.policies.domain.policy import Policy
from services.review.policies.domain.verdict import decide
from shared.events import EvalDone
from tests.unit.review.evidence import evaluation

CRITERIA = ("accuracy", "politeness", "usefulness")
shares = st.integers(0, 100).map(lambda percent: percent / 100)
points = st.integers(4, 20).map(lambda quarter: quarter / 4)


@st.composite
def policies(draw) -> Policy:
    demands = st.sampled_from(
        [
            {"at_least": 0.5},
            {"better_than_base": 0.0},
            {"better_than_base": 0.1, "by_test": True},
            {"not_worse_than_base": 0.05},
            {"better_than_production": 0.0},
            {"not_worse_than_production": 0.02, "least_n": 30},
            {"at_least": 0.4, "least_n": 50},
        ]
    )
    gates = [{"metric": "exact_match", **each} for each in draw(st.lists(demands, min_size=1, max_size=4))]
    return Policy.model_validate(
        {
            "name": "p",
            "mode": draw(st.sampled_from(["automatic", "human", "hybrid"])),
            "gates": gates,
            "human_score_at_least": draw(st.sampled_from([0, 50, 70, 100])),
            "criterion_at_least": draw(st.sampled_from([{}, {"accuracy": 3.5}, dict.fromkeys(CRITERIA, 2.0)])),
            "agreement_at_least": draw(st.sampled_from([None, 0.4, 0.8])),
            "undefined_agreement": draw(st.sampled_from(["accept", "undecided"])),
        }
    )


agreements = st.one_of(
    st.none(),
    st.builds(Agreement, alpha=st.none(), raw=st.just(1.0), n=st.just(20)),
    st.builds(Agreement, alpha=st.integers(-10, 10).map(lambda tenth: tenth / 10), raw=st.just(0.5), n=st.just(20)),
)


def people(score: float, means: tuple[float, ...], agreed: Agreement | None) -> HumanEvidence:
    return HumanEvidence(
        items=20,
        reviewers=2,
        score=score,
        criteria=dict(zip(CRITERIA, means, strict=True)),
        agreement={} if agreed is None else dict.fromkeys(CRITERIA, agreed),
    )


figures = st.tuples(shares, st.integers(0, 100), points, points, points)
ORDER = {"rejected": 0, "undecided": 1, "approved": 2}


@given(policies(), figures, figures, shares, st.none() | shares, st.sampled_from([10, 40]), agreements)
def test_better_figures_never_turn_an_approval_into_a_rejection(
    policy, one, other, base, production, n, agreed
) -> None:
    worse = tuple(min(pair) for pair in zip(one, other, strict=True))
    better = tuple(max(pair) for pair in zip(one, other, strict=True))
    outcomes = [
        decide(
            policy, evaluation(1, each[0], base, n=n, production=production), people(each[1], each[2:], agreed)
        ).outcome
        for each in (worse, better)
    ]
    assert ORDER[outcomes[0]] <= ORDER[outcomes[1]]


@given(policies(), figures, shares, agreements, agreements)
def test_agreement_can_only_turn_a_verdict_into_undecided(policy, found, base, one, other) -> None:
    outcomes = {
        decide(policy, evaluation(1, found[0], base), people(found[1], found[2:], agreed)).outcome
        for agreed in (one, other)
    }
    assert len(outcomes) == 1 or "undecided" in outcomes


@given(policies(), st.none() | shares, shares, st.none() | figures, agreements)
def test_no_rule_without_a_figure_passes(policy, figure, base, found, agreed) -> None:
    human = people(found[1], found[2:], agreed) if found else None
    verdict = decide(policy, evaluation(1, figure, base), human)
    assert all(rule.figure is not None for rule in verdict.rules if rule.passed)
    assert all(rule.reason for rule in verdict.rules)
    assert verdict.outcome != "approved" or all(rule.passed for rule in verdict.rules)


HYBRID = Policy.model_validate(
    {"name": "h6", "mode": "hybrid", "gates": [{"metric": "exact_match", "at_least": 0.8}], "agreement_at_least": 0.6}
)
AGREED = Agreement(alpha=0.9, raw=0.9, n=20)
DIFFER = Agreement(alpha=0.1, raw=0.3, n=20)
GOOD = (4.0, 4.0, 4.0)


def passed(figure: float = 0.85) -> EvalDone:
    return evaluation(1, figure)


def test_h6_people_are_asked_only_about_what_passed_the_gates() -> None:
    rejected = decide(HYBRID, passed(0.79))
    assert (rejected.outcome, len(rejected.rules)) == ("rejected", 1)
    waiting = decide(HYBRID, passed())
    assert (waiting.outcome, waiting.reason) == ("undecided", "waits for people")
    assert decide(HYBRID, passed(), people(75, GOOD, AGREED)).outcome == "approved"
    assert decide(HYBRID, passed(), people(65, GOOD, AGREED)).outcome == "rejected"


def test_too_little_agreement_is_undecided_whatever_people_gave() -> None:
    for score in (10, 95):
        verdict = decide(HYBRID, passed(), people(score, GOOD, DIFFER))
        assert verdict.outcome == "undecided"
        assert "agreement on accuracy at least 0.6: 0.100 (alpha over 20 answers)" in verdict.reason


def test_the_policy_says_what_follows_when_alpha_is_undefined() -> None:
    equal = Agreement(alpha=None, raw=1.0, n=20)
    accept = decide(HYBRID, passed(), people(100, GOOD, equal))
    assert accept.outcome == "approved"
    assert "alpha is undefined where all scores are equal" in accept.rules[1].reason
    careful = HYBRID.model_copy(update={"undefined_agreement": "undecided"})
    assert decide(careful, passed(), people(100, GOOD, equal)).outcome == "undecided"


def test_h7_a_verdict_lists_each_rule_with_figure_limit_and_outcome_and_keeps_them_under_an_override() -> None:
    override = Override(approved=True, by="ana", reason="the two items were wrong", at=5)
    verdict = decide(HYBRID, passed(), people(65, GOOD, AGREED), override)
    assert verdict.outcome == "approved"
    assert verdict.reason == (
        "approved by ana: the two items were wrong; by the rules, it failed 1 of 5 rules: "
        "human score at least 70: 65.0 (20 answers by 2 reviewers)"
    )
    assert [(rule.figure, rule.limit, rule.passed) for rule in verdict.rules] == [
        (0.85, 0.8, True),
        (0.9, 0.6, True),
        (0.9, 0.6, True),
        (0.9, 0.6, True),
        (65, 70, False),
    ]


def test_a_criterion_below_its_minimum_rejects_whatever_the_mean_is() -> None:
    strict = HYBRID.model_copy(update={"criterion_at_least": {"accuracy": 4.5}})
    verdict = decide(strict, passed(), people(90, GOOD, AGREED))
    assert verdict.outcome == "rejected"
    assert verdict.reason == ("it failed 1 of 6 rules: human accuracy at least 4.5: 4.000 (the mean of 20 answers)")


def test_gates_against_production_apply_once_there_is_a_version_in_production() -> None:
    gates = [{"metric": "exact_match", "at_least": 0.5}, {"metric": "exact_match", "not_worse_than_production": 0.02}]
    policy = Policy.model_validate({"name": "p", "mode": "automatic", "gates": gates})
    first = decide(policy, passed())
    assert (first.outcome, len(first.rules)) == ("approved", 1)
    assert decide(policy, evaluation(1, 0.85, production=0.855)).outcome == "approved"
    assert decide(policy, evaluation(1, 0.85, production=0.9)).outcome == "rejected"


def test_a_policy_with_gates_against_production_alone_approves_no_first_version() -> None:
    gates = [{"metric": "exact_match", "better_than_production": 0.0}]
    policy = Policy.model_validate({"name": "p", "mode": "automatic", "gates": gates})
    assert decide(policy, passed()).outcome == "rejected"
