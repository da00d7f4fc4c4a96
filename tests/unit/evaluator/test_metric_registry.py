"""The metric registry: metrics equal their libraries and are found by name."""

import tomllib
import warnings
from pathlib import Path

import pytest
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from sklearn import metrics as sklearn

from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.domain.metrics import measure

SAID = ["cat", "dog ", "dog", "bird", "cat", "I do not know"]
WANTED = ["cat", "dog", "cat", "dog", "cat", "bird"]
WRITTEN = ["the cats sat on a mat", "北京是中国的首都", "no", "we walked home"]
REFERENCES = ["the cat sat on the mat", "中国的首都是北京", "yes", "we walk home"]


def test_labels_agree_with_scikit_learn() -> None:
    measured = measure(SAID, WANTED, registry.load(["accuracy", "precision", "recall", "f1"]))
    said = [text.strip() for text in SAID]
    assert measured["accuracy"].score.value == pytest.approx(sklearn.accuracy_score(WANTED, said), abs=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = sklearn.classification_report(
            WANTED, said, labels=["bird", "cat", "dog"], output_dict=True, zero_division=0
        )["macro avg"]
    for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert measured[name].score.value == pytest.approx(report[theirs], abs=1e-9)
    # By hand: recall of bird 0/1, of cat 2/3, of dog 1/2; the answer that names no class is wrong and counted.
    assert measured["recall"].score.value == pytest.approx((0 + 2 / 3 + 1 / 2) / 3, abs=1e-9)
    assert measured["recall"].score.n == 6
    assert measured["f1"].interval is not None
    assert measured["f1"].interval.low <= measured["f1"].score.value <= measured["f1"].interval.high


def test_rouge_agrees_with_rouge_score_and_reads_chinese() -> None:
    measured = measure(WRITTEN, REFERENCES, registry.load(["rouge_1", "rouge_2"]))
    reference = RougeScorer(["rouge1", "rouge2"]).score(REFERENCES[0], WRITTEN[0])
    assert measured["rouge_1"].items[0] == pytest.approx(reference["rouge1"].fmeasure, abs=1e-9)
    assert measured["rouge_2"].items[0] == pytest.approx(reference["rouge2"].fmeasure, abs=1e-9)
    # The same eight characters, in another order.
    assert measured["rouge_1"].items[1] == 1
    assert 0 < (measured["rouge_2"].items[1] or 0) < 1


def test_meteor_of_a_worked_example_counts_stems_and_order() -> None:
    measured = measure(WRITTEN, REFERENCES, registry.load(["meteor"]))["meteor"]
    # "we walked home" for "we walk home": all three match, one by its stem, in one run: 1 - 0.5 * (1/3) ** 3.
    assert PorterStemmer().stem("walked") == "walk"
    assert measured.items[3] == pytest.approx(1 - 0.5 * (1 / 3) ** 3, abs=1e-9)
    assert measured.items[2] == 0
    assert measured.score.value == pytest.approx(sum(filter(None, measured.items)) / 4, abs=1e-9)


def test_a_metric_is_hugging_faces_evaluate_metric() -> None:
    import evaluate

    found = registry.known(["f1"])["f1"].load()()
    assert isinstance(found, evaluate.Metric)
    assert found.definition
    [value] = found.compute(predictions=["a", "b"], references=["a", "a"]).values()
    assert value == pytest.approx(2 / 3, abs=1e-9)


def test_an_unknown_metric_is_refused_with_the_known_names() -> None:
    with pytest.raises(registry.UnknownMetric, match="unknown metric blue; known are accuracy, bleu, chrf"):
        registry.known(["f1", "blue"])
    assert registry.known(["exact_match"]) == {}


def test_a_metric_of_an_installed_package_is_measured_like_the_others(tmp_path, monkeypatch) -> None:
    example = Path(__file__).parents[3] / "examples" / "metric-plugin"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(example))
    installed = tmp_path / "assay_number_match-1.0.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: assay-number-match\nVersion: 1.0.0\n")
    points = tomllib.loads((example / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"{name} = {place}\n" for name, place in points[registry.GROUP].items()]
    (installed / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{''.join(lines)}")
    more = registry.load(["number_match"])
    measured = measure(["so it is 1,200", "12.0", "none"], ["1200", "it is 12", "7"], more)["number_match"]
    assert measured.items == (1, 1, 0)
    assert (measured.score.value, measured.score.n) == (pytest.approx(2 / 3), 3)
