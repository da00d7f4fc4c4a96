"""Metrics of written answers: ROUGE-1 and ROUGE-2 by rouge-score, METEOR by nltk, chrF by sacrebleu, token F1."""

from collections import Counter
from collections.abc import Sequence

from nltk.translate.meteor_score import single_meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.chrf import CHRF

from services.evaluator.scoring.adapters.metrics.text import TextMetric
from services.evaluator.scoring.domain.metrics import Tokens
from shared.words import words


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


ARTICLES = ("a", "an", "the")


class TokenF1(TextMetric):
    definition = (
        "Harmonic mean of the precision and recall of the words of answer and reference, in any order, without case, "
        "punctuation and English articles; CJK characters are words. 1 if both have no words, 0 if only one has none."
    )
    source = "Rajpurkar et al. 2016 (SQuAD)"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = (Counter(word for word in words(text) if word not in ARTICLES) for text in (answer, reference))
        if not said or not wanted:
            return float(said == wanted)
        common = (said & wanted).total()
        return 2 * common / (said.total() + wanted.total())


class Chrf(TextMetric):
    """An item's value is its sentence chrF."""

    definition = "F-score of character n-grams up to 6, with recall counted twice (chrF2), over the whole corpus."
    source = "Popović 2015, by sacrebleu"
    averaged = False

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        pairs = zip(answers, references, strict=True)
        return [min(1.0, CHRF().sentence_score(answer, [reference]).score / 100) for answer, reference in pairs]

    def figure(self, answers: Sequence[str], references: Sequence[str]) -> float:
        return min(1.0, CHRF().corpus_score(list(answers), [list(references)]).score / 100)


class _NoSynonyms:
    def synsets(self, _word: str) -> list[object]:
        return []
