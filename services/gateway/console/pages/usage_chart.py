"""Tokens by day as a picture: a column for each day, prompts below and answers above."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, FOOT, LEFT = 1184, 190, 22, 64
"""In the pixels of a page that is 1280 wide, so that the axis has the size of the other texts."""


@dataclass(frozen=True)
class Day:
    """What was used in one day, which is an ISO date in UTC."""

    day: str
    requests: int
    prompt_tokens: int
    completion_tokens: int


def usage_chart(days: Sequence[Day], words: Mapping[str, str]) -> Markup:
    """The axis ends at the highest day. `words` has `title`, `unit`, `prompt` and `completion`."""
    most = max((day.prompt_tokens + day.completion_tokens for day in days), default=0) or 1
    step = (WIDTH - LEFT) / max(len(days), 1)
    columns = [_column(day, LEFT + index * step, step, most, words) for index, day in enumerate(days)]
    axis = Markup(
        '<text x="{x}" y="22" class="e">{most}</text><text x="{x}" y="{base}" class="e">0</text>'
        '<text x="{left}" y="12">{unit}</text>'
        '<path d="M{left} {base}H{width}" class="ax"/><text x="{left}" y="{foot}">{first}</text>'
        '<text x="{width}" y="{foot}" class="e">{last}</text>'
    ).format(
        x=LEFT - 8,
        most=f"{most:,}",
        unit=words["unit"],
        base=HEIGHT - FOOT,
        left=LEFT,
        width=WIDTH,
        foot=HEIGHT - 4,
        first=days[0].day if days else "",
        last=days[-1].day if days else "",
    )
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        WIDTH, HEIGHT, words["title"], axis, Markup("").join(columns)
    )


def _column(day: Day, x: float, step: float, most: int, words: Mapping[str, str]) -> Markup:
    room = HEIGHT - FOOT - 18
    below, above = room * day.prompt_tokens / most, room * day.completion_tokens / most
    base = HEIGHT - FOOT
    label = f"{day.day}: {day.prompt_tokens:,} {words['prompt']}, {day.completion_tokens:,} {words['completion']}"
    return Markup(
        '<g><title>{label}</title><rect x="{x:.1f}" y="{y1:.1f}" width="{w:.1f}" height="{h1:.1f}" class="k-ink k"/>'
        '<rect x="{x:.1f}" y="{y2:.1f}" width="{w:.1f}" height="{h2:.1f}" class="k-edge k"/></g>'
    ).format(label=label, x=x + 1, w=max(step - 2, 1), y1=base - below, h1=below, y2=base - below - above, h2=above)
