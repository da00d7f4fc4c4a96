"""How near a written answer is to its reference: ROUGE-1 and ROUGE-2 by rouge-score, METEOR by nltk."""

from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer

from services.evaluator.adapters.metrics.text import TextMetric
from services.evaluator.domain.metrics import Tokens


class Rouge(TextMetric):
    """F-measure of shared n-grams over words and CJK characters."""

    source = "Lin 2004, by rouge-score"
    kind = ""

    def item(self, answer: str, reference: str) -> float:
        scorer = RougeScorer([self.kind], tokenizer=Tokens())
        return float(scorer.score(reference, answer)[self.kind].fmeasure)


class Rouge1(Rouge):
    definition = "F-measure of the words that answer and reference share."
    kind = "rouge1"


class Rouge2(Rouge):
    definition = "F-measure of the pairs of neighbouring words that answer and reference share."
    kind = "rouge2"


class Meteor(TextMetric):
    definition = (
        "Weighted mean of the precision and recall of words equal as written or by stem, less a penalty for other "
        "order. Without the original's third stage, synonyms: WordNet is not to be had without a network."
    )
    source = "Banerjee and Lavie 2005, by nltk"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = Tokens().tokenize(answer), Tokens().tokenize(reference)
        return float(single_meteor_score(wanted, said, wordnet=_NoSynonyms()))


class _NoSynonyms:
    def synsets(self, _word: str) -> list[object]:
        return []
