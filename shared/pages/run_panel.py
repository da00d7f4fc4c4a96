"""Panels of a run on one axis of steps, as SVG: losses here, scores where a service knows them.

The server draws them from thinned curves: a run of ten thousand steps makes the same few kilobytes as one of a hundred.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from shared.pages.chart_layout import apart, path, pushed_apart

WIDTH, LEFT, RIGHT = 1184, 46, 178
MOST_POINTS = 300
NOTE_PX = 12
"""The base line of the note; a panel with one begins some 16 px below it, one with flags some 44 px."""
_NAME_PX = 150
_UNIT_PX = 28
Point = tuple[int, float]


@dataclass
class RunPanel:
    """One panel under construction: `total_steps` is the planned end, `top` and `bottom` are pixels."""

    total_steps: int
    low: float
    high: float
    top: int = 12
    bottom: int = 190
    _named_until: float = 0.0
    _parts: list[Markup] = field(default_factory=list[Markup])
    _labels: list[tuple[float, str, str, str]] = field(default_factory=list[tuple[float, str, str, str]])

    def x(self, step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(step / max(self.total_steps, 1), 0.0), 1.0)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return self.bottom - (self.bottom - self.top) * share

    def add(self, template: str, **values: object) -> None:
        """Markup with values; words among them are escaped. Templates are constants of the code."""
        self._parts.append(Markup(template).format(**values))  # noqa: S704

    def grid(self, ticks: Iterable[float]) -> None:
        for tick in ticks:
            self.add(
                '<path d="M{left} {y:.1f}H{end:.1f}" class="grid"/>'
                '<text x="{at}" y="{text:.1f}" class="e">{tick:g}</text>',
                left=LEFT,
                y=self.y(tick),
                end=self.x(self.total_steps),
                at=LEFT - 10,
                text=self.y(tick) + 4,
                tick=tick,
            )

    def wash(self, from_step: int, words: str) -> None:
        """What was not trained, or not yet."""
        start, end = self.x(from_step), self.x(self.total_steps)
        if end - start < 2:
            return
        self.add(
            '<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{h}" class="wash"/>',
            x=start,
            y=self.top,
            w=end - start,
            h=self.bottom - self.top,
        )
        if end - start > 90:
            self.add(
                '<text x="{x:.1f}" y="{y:.1f}" class="c">{words}</text>',
                x=(start + end) / 2,
                y=(self.top + self.bottom) / 2,
                words=words,
            )

    def hairline(self, step: int, role: str = "ax", dashed: bool = False) -> None:
        self.add(
            '<path d="M{x:.1f} {top}V{bottom}" class="{role}" stroke="currentColor" opacity=".5" {dash}/>',
            x=self.x(step),
            top=self.top,
            bottom=self.bottom,
            role=role,
            dash=Markup('stroke-dasharray="4 3"') if dashed else "",
        )

    def flag(self, step: int, role: str, name: str) -> None:
        """Something that happened at a step: a diamond on the rail above the panel, its name, and a line down.

        A name that would touch the one before it is in the title alone; the page lists all of them in words.
        """
        x, rail = self.x(step), self.top - 14
        near_end = x > WIDTH - RIGHT - _NAME_PX
        start = x - _NAME_PX if near_end else x
        words = Markup("")
        if start >= self._named_until:
            words = Markup('<text x="{:.1f}" y="{}" class="k w k-{}{}">{}</text>').format(
                x - 8 if near_end else x + 8, rail + 4, role, " e" if near_end else "", name
            )
            self._named_until = start + _NAME_PX
        self.add(
            '<g class="k-{role}"><title>{name}</title><path d="M{x:.1f} {a}l5 5l-5 5l-5 -5z" fill="currentColor"/>'
            '<path d="M{x:.1f} {b}V{bottom}" stroke="currentColor" stroke-width="1.3"/>{words}</g>',
            role=role,
            name=name,
            x=x,
            a=rail - 5,
            b=rail + 5,
            bottom=self.bottom,
            words=words,
        )

    def line(self, points: Sequence[Point], role: str, width: float = 1.8, extra: str = "") -> None:
        if len(points) > 1:
            self.add(
                '<path d="{d}" class="k-{role}" fill="none" stroke="currentColor" stroke-width="{width}" {extra}/>',
                d=path([(self.x(step), self.y(value)) for step, value in points]),
                role=role,
                width=width,
                extra=Markup(extra),  # noqa: S704
            )

    def level(self, value: float, role: str, extra: str = "") -> None:
        """A yardstick: one value over all steps."""
        self.line([(0, value), (self.total_steps, value)], role, 1.5, extra)

    def band(self, low: float, high: float, role: str) -> None:
        """The interval of a yardstick."""
        self.add(
            '<rect x="{x}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" class="k-{role}" fill="currentColor" '
            'opacity=".1"/>',
            x=LEFT,
            y=self.y(high),
            w=self.x(self.total_steps) - LEFT,
            h=self.y(low) - self.y(high),
            role=role,
        )

    def whisker(self, step: int, value: float, low: float, high: float, role: str, *, ring: bool = False) -> None:
        """A figure with its interval and, above it, its value; the best one has a ring."""
        self.add(
            '<g class="k-{role}" stroke="currentColor" stroke-width="1.5"><path d="M{x:.1f} {lo:.1f}V{hi:.1f}'
            'M{a:.1f} {lo:.1f}h10M{a:.1f} {hi:.1f}h10"/><circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="currentColor"/>'
            '{ring}</g><text x="{x:.1f}" y="{t:.1f}" class="t c halo{bold}">{value:.3f}</text>',
            role=role,
            x=self.x(step),
            a=self.x(step) - 5,
            y=self.y(value),
            lo=self.y(low),
            hi=self.y(high),
            t=self.y(high) - 7,
            ring=Markup('<circle cx="{:.1f}" cy="{:.1f}" r="8.5" fill="none"/>').format(self.x(step), self.y(value))
            if ring
            else "",
            bold=" w" if ring else "",
            value=value,
        )

    def squares(self, points: Sequence[Point], role: str) -> None:
        for step, value in points:
            self.add(
                '<rect x="{x:.1f}" y="{y:.1f}" width="4" height="4" class="k-{role}" fill="currentColor"/>',
                x=self.x(step) - 2,
                y=self.y(value) - 2,
                role=role,
            )

    def note(self, words: str) -> None:
        """What is measured, above the panel at the left, where no line, whisker or flag reaches."""
        self.add('<text x="{x}" y="{y}" class="t2">{words}</text>', x=LEFT, y=NOTE_PX, words=words)

    def label(self, value: float, role: str, name: str, words: str) -> None:
        """A name at the right end of a line; labels are pushed apart when the panel is drawn."""
        self._labels.append((self.y(value), role, name, words))

    def axis(self, steps: Iterable[int], bold: int | None = None, *, unit: str) -> None:
        """The axis of steps with their numbers; `unit` is the word for steps, at its end."""
        end = self.x(self.total_steps)
        self.add('<text x="{x:.1f}" y="{y}">{unit}</text>', x=end + _UNIT_PX, y=self.bottom + 18, unit=unit)
        self.add('<path d="M{a} {y}H{b:.1f}" class="ax"/>', a=LEFT, y=self.bottom, b=end)
        for step in apart(sorted(set(steps)), self.x):
            self.add(
                '<path d="M{x:.1f} {y}v5" class="ax"/><text x="{x:.1f}" y="{t}" class="c{bold}">{step:,}</text>',
                x=self.x(step),
                y=self.bottom,
                t=self.bottom + 18,
                bold=" t w" if step == bold else "",
                step=step,
            )

    def svg(self, title: str, description: str, name: str) -> Markup:
        """The panel; `name` makes its ids unique on the page."""
        self._draw_labels()
        return Markup(
            '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-t {n}-d">'
            '<title id="{n}-t">{title}</title><desc id="{n}-d">{words}</desc>{parts}</svg>'
        ).format(
            w=WIDTH, h=self.bottom + 26, n=name, title=title, words=description, parts=Markup("").join(self._parts)
        )

    def _draw_labels(self) -> None:
        labels = sorted(self._labels)
        places = pushed_apart([place for place, *_ in labels], self.bottom - 18)
        for place, (_, role, name, words) in zip(places, labels, strict=True):
            self.add(
                '<text x="{x}" y="{y:.1f}" class="k w k-{role}">{name}</text><text x="{x}" y="{z:.1f}">{words}</text>',
                # The grey of the training line is too pale for words.
                role="ink" if role == "train" else role,
                x=WIDTH - RIGHT + 12,
                y=place,
                z=place + 15,
                name=name,
                words=words,
            )


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most about `most` points: of each bucket of steps the lowest and the highest, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        low, high = min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])
        kept += sorted({low, high})
    return kept


def round_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about as many as wanted."""
    span = max(high - low, 1e-9)
    size = 10 ** math.floor(math.log10(span / wanted))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= wanted)
    first = math.ceil(low / step - 1e-9)
    return [round(step * index, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]
