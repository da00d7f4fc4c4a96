"""Scores from 0 to 1 as pictures: bars with whiskers, and the shape of a model over several metrics.

Only numbers and escaped words reach the markup. Colours come by class, since the CSP forbids styles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 760, 292, 40, 14, 246
_GAP = 5
_SIGN_WIDTH = 7.3
"""Of a mono sign in a label."""
_RADAR_WIDTH, _RADAR_HEIGHT, _RADIUS = 420, 290, 100
_DASHES = {
    "base": Markup('stroke-dasharray="6 4"'),
    "prod": Markup('stroke-dasharray="1.5 3.5" stroke-linecap="round"'),
}


@dataclass(frozen=True)
class Bar:
    """One model's figure; without an interval it has no whisker."""

    value: float
    low: float | None
    high: float | None
    role: str


@dataclass(frozen=True)
class BarGroup:
    """The bars of one metric over `n` items."""

    name: str
    n: int
    bars: Sequence[Bar]


def bars(groups: Sequence[BarGroup], title: str) -> Markup:
    """Groups of bars from 0 to 1; the table beside them holds the figures."""
    width = (_WIDTH - _LEFT - 4) / max(len(groups), 1)
    parts = [_gridline(tick) for tick in (0, 0.25, 0.5, 0.75, 1)]
    for place, group in enumerate(groups):
        parts.append(_group(group, _LEFT + width * place, width))
    return _svg(_WIDTH, _HEIGHT, title, parts)


def radar(axes: Sequence[str], shapes: Sequence[tuple[str, Sequence[float]]], title: str) -> Markup:
    """One closed line a model, by role; the last one is filled, and lies on top."""
    parts = [
        Markup('<path d="{}Z" fill="none" class="ax"/>').format(
            _path([_point(i, ring, len(axes)) for i in range(len(axes))])
        )
        for ring in (0.25, 0.5, 0.75, 1)
    ]
    parts += [_axis(place, name, len(axes)) for place, name in enumerate(axes)]
    for place, (role, values) in enumerate(shapes):
        parts.append(
            _shape(role, [_point(i, value, len(axes)) for i, value in enumerate(values)], place == len(shapes) - 1)
        )
    x, y = _RADAR_WIDTH / 2, _RADAR_HEIGHT / 2
    rings = Markup('<text x="{:.1f}" y="{:.1f}" class="halo">{}</text>')
    parts += [rings.format(x + 4, y - _RADIUS * ring + 4, f"{ring:g}") for ring in (0.5, 1)]
    return _svg(_RADAR_WIDTH, _RADAR_HEIGHT, title, parts)


def _group(group: BarGroup, left: float, width: float) -> Markup:
    size = min(19.0, (width - 2 * _GAP) / max(len(group.bars), 1) - _GAP)
    start = left + (width - len(group.bars) * (size + _GAP) + _GAP) / 2
    drawn = [_bar(bar, start + place * (size + _GAP), size) for place, bar in enumerate(group.bars)]
    words = Markup(
        '<text x="{x:.1f}" y="{y}" class="c t2 mono"><title>{full}</title>{name}</text>'
        '<text x="{x:.1f}" y="{z}" class="c">n {n}</text>'
    )
    label = words.format(
        x=left + width / 2,
        y=_BOTTOM + 18,
        z=_BOTTOM + 34,
        name=_short(group.name, int(width / _SIGN_WIDTH) - 1),
        full=group.name,
        n=group.n,
    )
    return Markup("").join([*drawn, label])


def _bar(bar: Bar, x: float, size: float) -> Markup:
    top = _y(bar.value)
    body = Markup(
        '<rect x="{x:.1f}" y="{top:.1f}" width="{size:.1f}" height="{height:.1f}" fill="currentColor" opacity=".32"/>'
        '<path d="M{x:.1f} {top:.1f}h{size:.1f}" stroke="currentColor" stroke-width="2.5"/>'
    ).format(x=x, top=top, size=size, height=_BOTTOM - top)
    whisker = Markup("")
    if bar.low is not None and bar.high is not None:
        whisker = Markup(
            '<path d="M{c:.1f} {lo:.1f}V{hi:.1f}M{a:.1f} {lo:.1f}h7M{a:.1f} {hi:.1f}h7" stroke="currentColor" '
            'stroke-width="1.4"/>'
        ).format(c=x + size / 2, a=x + size / 2 - 3.5, lo=_y(bar.low), hi=_y(bar.high))
    return Markup('<g class="k-{}">{}{}</g>').format(bar.role, body, whisker)


def _gridline(tick: float) -> Markup:
    line = Markup('<path d="M{} {:.1f}H{}" class="{}"/><text x="{}" y="{:.1f}" class="e">{}</text>')
    return line.format(_LEFT, _y(tick), _WIDTH - 4, "grid" if tick else "ax", _LEFT - 8, _y(tick) + 4, f"{tick:g}")


def _axis(place: int, name: str, count: int) -> Markup:
    x, y = _point(place, 1, count)
    label_x, label_y = _point(place, 1.13, count)
    middle = _RADAR_WIDTH / 2
    side = "c" if abs(label_x - middle) < 5 else "e" if label_x < middle else ""
    return Markup(
        '<path d="M{} {}L{:.1f} {:.1f}" class="ax"/>'
        '<text x="{:.1f}" y="{:.1f}" class="t2 mono {}"><title>{}</title>{}</text>'
    ).format(middle, _RADAR_HEIGHT / 2, x, y, label_x, label_y + 4, side, name, _short(name, 16))


def _shape(role: str, points: Sequence[tuple[float, float]], filled: bool) -> Markup:
    marks = Markup("").join(_mark(role, x, y) for x, y in points)
    return Markup(
        '<g class="k-{}"><path d="{}Z" fill="{}" fill-opacity=".10" stroke="currentColor" stroke-width="{}" {}/>{}</g>'
    ).format(
        role, _path(points), "currentColor" if filled else "none", 2 if filled else 1.6, _DASHES.get(role, ""), marks
    )


def _mark(role: str, x: float, y: float) -> Markup:
    if role == "base":
        return Markup('<path d="M{:.1f} {:.1f}h6" stroke="currentColor" stroke-width="2"/>').format(x - 3, y)
    if role == "prod":
        square = Markup('<rect x="{:.1f}" y="{:.1f}" width="5.6" height="5.6" fill="currentColor"/>')
        return square.format(x - 2.8, y - 2.8)
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.2" fill="currentColor"/>').format(x, y)


def _point(place: int, value: float, count: int) -> tuple[float, float]:
    angle = 2 * math.pi * place / count
    reach = _RADIUS * value
    return _RADAR_WIDTH / 2 + reach * math.sin(angle), _RADAR_HEIGHT / 2 - reach * math.cos(angle)


def _y(value: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(max(value, 0.0), 1.0)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _svg(width: int, height: int, title: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )
