"""How long rows are, as a picture: bars on an axis of tokens that doubles, with marks at 4k and 8k."""

import math

from markupsafe import Markup

from services.ingest.statistics.lengths import Lengths
from shared.pages.run_panel import round_ticks

_WIDTH, _LEFT, _TOP, _BOTTOM = 560, 48, 30, 216
_STEP_OF_4K, _STEP_OF_8K = 24, 26
"""The axis has two steps for each doubling: 2 ** (24 / 2) is 4096."""
_MOST_LABELS = 12


def length_chart(lengths: Lengths) -> Markup:
    """The bars; title and table stand on the page, so that the picture itself has no words to translate."""
    steps = {round(2 * math.log2(bound)): rows for bound, rows in lengths.buckets}
    first, last = min(steps) - 1, max(_STEP_OF_8K, *steps)
    if first % 2:
        first -= 1
    size = (_WIDTH - _LEFT) / (last - first)
    ticks = [tick for tick in round_ticks(0, max(steps.values())) if tick == int(tick)]
    height = (_BOTTOM - _TOP) / max(*steps.values(), *ticks)
    parts = [_grid(tick, _BOTTOM - tick * height) for tick in ticks]
    parts += [_bar(_LEFT + (step - 1 - first) * size, size, rows * height, rows, step) for step, rows in steps.items()]
    each = 2 * math.ceil((last - first) / 2 / _MOST_LABELS)
    parts += [_mark(_LEFT + (step - first) * size, step) for step in range(first, last + 1, each)]
    parts += [_limit(_LEFT + (step - first) * size, name) for step, name in ((_STEP_OF_4K, "4k"), (_STEP_OF_8K, "8k"))]
    return Markup("").join(parts)


def _grid(tick: float, y: float) -> Markup:
    return Markup(
        '<path d="M{left} {y:.1f}H{end}" class="grid"/><text x="{at}" y="{text:.1f}" class="e">{tick:,}</text>'
    ).format(left=_LEFT, y=y, end=_WIDTH, at=_LEFT - 8, text=y + 4, tick=int(tick))


def _bar(x: float, width: float, height: float, rows: int, step: int) -> Markup:
    role = "warn" if step > _STEP_OF_4K else "cand"
    return Markup(
        '<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" class="k-{role}" fill="currentColor" '
        'opacity=".85"><title>{rows:,}</title></rect>'
    ).format(x=x + 1, y=_BOTTOM - height, w=max(width - 2, 1), h=height, role=role, rows=rows)


def _mark(x: float, step: int) -> Markup:
    tokens = 2 ** (step // 2)
    words = f"{tokens // 1024}k" if tokens >= 1024 else str(tokens)
    return Markup('<path d="M{x:.1f} {y}v5" class="ax"/><text x="{x:.1f}" y="{text}" class="c">{words}</text>').format(
        x=x, y=_BOTTOM, text=_BOTTOM + 18, words=words
    )


def _limit(x: float, name: str) -> Markup:
    return Markup(
        '<path d="M{x:.1f} {top}V{bottom}" stroke="currentColor" class="k-ink" stroke-dasharray="4 3"/>'
        '<text x="{text:.1f}" y="{y}" class="e t2 w">{name}</text>'
    ).format(x=x, top=_TOP - 8, bottom=_BOTTOM, text=x - 4, y=_TOP - 8, name=name)
