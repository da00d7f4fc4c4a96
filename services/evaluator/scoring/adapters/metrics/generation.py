"""Metrics of written answers: ROUGE-1 and ROUGE-2 by rouge-score, METEOR by nltk."""

from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.metrics import Tokens


class Rouge(TextMetric):
    """F-measure of shared n-grams over words and CJK characters."""

    source = "Lin 2004, by rouge-score"
    kind = ""

    def item(self, answer: str, reference: str) -> float:
        scorer = RougeScorer([self.kind], tokenizer=Tokens())
        return float(scorer.score(reference, answer)[self.kind].fmeasure)


class Rouge1(Rouge):
    definition = "F-measure of the words that answer and reference have in common."
    kind = "rouge1"


class Rouge2(Rouge):
    definition = "F-measure of the word pairs that answer and reference have in common."
    kind = "rouge2"


class Meteor(TextMetric):
    definition = (
        "Weighted mean of the precision and recall of words with the same form or stem, minus a penalty for a "
        "different order. Without the original's third stage, synonyms, because WordNet needs a download."
    )
    source = "Banerjee and Lavie 2005, by nltk"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = Tokens().tokenize(answer), Tokens().tokenize(reference)
        return float(single_meteor_score(wanted, said, wordnet=_NoSynonyms()))


class _NoSynonyms:
    def synsets(self, _word: str) -> list[object]:
        return []
