"""What the figures of a dataset advise before training, each with its reason."""

import itertools
import math

from pydantic import BaseModel

from services.ingest.statistics.lengths import Lengths
from shared.percent import percent

_EPOCHS = ((100, 15.0), (1_000, 10.0), (10_000, 2.0))
_SMALL_SKILL_ROWS = 1_000
_COMPLEX_SKILL_ROWS = 10_000
_RARE_LABEL = 0.05


class Advice(BaseModel):
    """One piece of advice; `value` is what it recommends where that is a number."""

    topic: str
    value: float | None
    text: str
    warns: bool = False
    """Whether a job on these rows will probably disappoint."""


def epochs(rows: int) -> float:
    """15 for a hundred rows, 10 for a thousand, 2 for ten thousand and more; between them by the rows' logarithm."""
    if rows <= _EPOCHS[0][0]:
        return _EPOCHS[0][1]
    for (low, more), (high, fewer) in itertools.pairwise(_EPOCHS):
        if rows <= high:
            done = (math.log(rows) - math.log(low)) / (math.log(high) - math.log(low))
            return round(more + done * (fewer - more), 1)
    return _EPOCHS[-1][1]


def advise(rows: int, lengths: Lengths, labels: dict[str, float], contradictions: int) -> list[Advice]:
    """Epochs, context and amount; balance and contradictions where they matter."""
    made = [_epochs(rows), _context(lengths), _amount(rows)]
    if lengths.engine_context is not None and max(lengths.longest_text, lengths.longest) > lengths.engine_context:
        made.append(_engine(lengths, lengths.engine_context))
    if labels and min(labels.values()) < _RARE_LABEL:
        rare = min(labels, key=lambda one: labels[one])
        share = f"{percent(labels[rare], 1)} of the rows"
        text = f"the label {rare[:60]!r} is in {share}: add rows of it, or it is rarely learned"
        made.append(Advice(topic="balance", value=labels[rare], text=text, warns=True))
    if contradictions:
        text = f"{contradictions:,} questions have several answers: keep one answer each, unless several are right"
        made.append(Advice(topic="contradictions", value=contradictions, text=text, warns=True))
    return made


def _engine(lengths: Lengths, context: int) -> Advice:
    share = lengths.share_over_engine or 0.0
    text = f"the longest row has {lengths.longest:,} tokens and {percent(share, 1)} of the rows have more than the"
    text += f" {context:,} that"
    text += " the serving engine takes: shorten or split them, or they cannot be trained on"
    return Advice(topic="engine", value=context, text=text, warns=True)


def _epochs(rows: int) -> Advice:
    value = epochs(rows)
    return Advice(topic="epochs", value=value, text=f"{rows:,} rows for training: read them {value:g} times")


def _context(lengths: Lengths) -> Advice:
    """What the rows need, at most what the engine takes; with the value that "auto" has in a job."""
    value, text = _needed_context(lengths)
    engine = lengths.engine_context
    if engine is None:
        return Advice(topic="context", value=value, text=f"{text}; auto takes the most that the base model can read")
    if value < engine:
        text = f"{text}; auto takes {engine:,}, the most that the serving engine takes"
        return Advice(topic="context", value=value, text=text)
    fitting = percent(1 - (lengths.share_over_engine or 0.0), 1)
    text = f"{fitting} of the rows fit into {engine:,} tokens, the most that the serving engine takes"
    text += "; auto takes them too"
    return Advice(topic="context", value=engine, text=text)


def _needed_context(lengths: Lengths) -> tuple[float, str]:
    """4,096 tokens when 95 % of the rows fit, 8,192 when over 20 % do not; between them both have a reason."""
    over_4k, over_8k = lengths.share_over_4k, lengths.share_over_8k
    if over_4k <= 0.05:
        return 4096, f"{percent(1 - over_4k, 1)} of the rows fit into 4,096 tokens"
    if over_8k > 0.05:
        text = (
            f"{percent(over_8k, 1)} of the rows have more than 8,192 tokens: use a longer context, or split these rows"
        )
        return float(2 ** math.ceil(math.log2(max(lengths.longest, 2)))), text
    shorten = "" if over_4k > 0.2 else ", or shorten these rows and use 4,096"
    return 8192, f"{percent(over_4k, 1)} of the rows have more than 4,096 tokens: use 8,192{shorten}"


def _amount(rows: int) -> Advice:
    if rows < _SMALL_SKILL_ROWS:
        text = f"{rows:,} rows; a small skill takes about 1,000, a complex one about 10,000"
        return Advice(topic="amount", value=_SMALL_SKILL_ROWS, text=text, warns=True)
    if rows < _COMPLEX_SKILL_ROWS:
        text = f"{rows:,} rows: enough for a small skill; a complex one takes about 10,000"
        return Advice(topic="amount", value=_COMPLEX_SKILL_ROWS, text=text)
    return Advice(topic="amount", value=None, text=f"{rows:,} rows are enough for a complex skill")
