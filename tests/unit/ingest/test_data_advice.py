"""What the figures of a dataset advise."""

import pytest

from services.ingest.statistics.advice import Advice, advise
from services.ingest.statistics.lengths import Lengths


def lengths(**said: object) -> Lengths:
    measured = {"tokenizer": "t", "estimated": False, "rows_measured": 100, "total_tokens": 1, "longest": 121}
    shares = {"percentiles": {}, "share_over_4k": 0.0, "share_over_8k": 0.0}
    return Lengths.model_validate({**measured, **shares, **said})


def context(found: Lengths) -> Advice:
    [one] = [each for each in advise(334, found, {}, 0) if each.topic == "context"]
    return one


@pytest.mark.parametrize(
    ("engine", "value", "auto"),
    [
        (None, 4096, "auto takes the most that the base model can read"),
        (2048, 2048, "fit into 2,048 tokens, the most that the serving engine takes; auto takes them too"),
        (4096, 4096, "fit into 4,096 tokens, the most that the serving engine takes; auto takes them too"),
        (8192, 4096, "auto takes 8,192, the most that the serving engine takes"),
    ],
)
def test_the_context_is_at_most_what_the_engine_takes_and_names_the_one_of_a_job(
    engine: int | None, value: int, auto: str
) -> None:
    one = context(lengths(engine_context=engine, share_over_engine=None if engine is None else 0.0))
    assert one.value == value
    assert one.text.startswith("100.0\u00a0% of the rows")
    assert auto in one.text


def test_rows_that_do_not_fit_the_engine_are_counted_against_the_engine() -> None:
    long = lengths(engine_context=2048, share_over_engine=0.3, share_over_4k=0.25, share_over_8k=0.1, longest=9000)
    assert context(long).text.startswith("70.0\u00a0% of the rows fit into 2,048 tokens")
    assert context(lengths(share_over_4k=0.25, share_over_8k=0.1, longest=9000)).value == 16384


def test_figures_in_texts_have_commas_and_percent_signs_stand_apart() -> None:
    found = advise(1_240, lengths(engine_context=100, share_over_engine=0.5), {"a": 0.99, "b": 0.01}, 2_000)
    text = " ".join(one.text for one in found)
    for figure in ("1,240 rows", "2,000 questions", "10,000", "50.0\u00a0%", "1.0\u00a0%"):
        assert figure in text
    assert "%" not in text.replace("\u00a0%", "")
