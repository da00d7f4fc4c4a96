"""Small marks as inline SVG, drawn by pure functions from figures: whisker, stations, bullet, bars, curves.

Numbers alone reach the markup; words are escaped. Colours come by class (`k-<role>`), since the CSP forbids styles.
"""

from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup, escape

Sense = Literal[">=", ">", "<=", "<"]


def whisker(
    value: float,
    low: float,
    high: float,
    yardstick: float | None = None,
    *,
    axis: tuple[float, float] = (0.0, 1.0),
    role: str = "cand",
    yardstick_role: str = "base",
    width: int = 84,
) -> Markup:
    """A figure with its interval on a fixed axis; the tick is what it is compared with."""
    x = _scale(axis, 4, width - 4)
    tick = Markup('<path d="M{:.1f} 2V16" stroke="currentColor" stroke-width="2" class="k-{}"/>')
    return Markup(
        '<svg width="{w}" height="18" viewBox="0 0 {w} 18" aria-hidden="true">'
        '<path d="M4 9H{end}" stroke="currentColor" class="k-line"/>{tick}'
        '<g class="k-{role}" stroke="currentColor" stroke-width="1.5">'
        '<path d="M{lo:.1f} 9H{hi:.1f}M{lo:.1f} 5.5v7M{hi:.1f} 5.5v7"/>'
        '<circle cx="{at:.1f}" cy="9" r="3.5" fill="currentColor" stroke="none"/></g></svg>'
    ).format(
        w=width,
        end=width - 4,
        tick="" if yardstick is None else tick.format(x(yardstick), yardstick_role),
        role=role,
        lo=x(low),
        hi=x(high),
        at=x(value),
    )


_STATIONS = {
    "d": Markup('<circle cx="{x}" cy="8" r="4.5" class="k-ink" fill="currentColor"/>'),
    "n": Markup(
        '<circle cx="{x}" cy="8" r="5.5" class="hole k-cand" stroke="currentColor" stroke-width="2"/>'
        '<circle cx="{x}" cy="8" r="2.2" class="k-cand" fill="currentColor"/>'
    ),
    "w": Markup(
        '<circle cx="{x}" cy="8" r="5.5" class="hole k-warn" stroke="currentColor" stroke-width="2"/>'
        '<path d="M{x} 4.6a3.4 3.4 0 0 0 0 6.8z" class="k-warn" fill="currentColor"/>'
    ),
    "x": Markup(
        '<circle cx="{x}" cy="8" r="7" class="k-bad" fill="currentColor"/>'
        '<path transform="translate({x} 8)" d="M-2.6 -2.6l5.2 5.2m0 -5.2l-5.2 5.2" class="gap" stroke-width="1.8"/>'
    ),
    "v": Markup(
        '<circle cx="{x}" cy="8" r="7" class="k-good" fill="currentColor"/>'
        '<path transform="translate({x} 8)" d="M-3 .2l2.1 2.2 3.9 -4.4" class="gap" stroke-width="1.8"/>'
    ),
    "o": Markup('<circle cx="{x}" cy="8" r="3.5" class="hole k-edge" stroke="currentColor" stroke-width="1.3"/>'),
    "-": Markup(
        '<path transform="translate({x} 8)" d="M-3.5 0h7" stroke="currentColor" class="k-edge" stroke-width="2.5"/>'
    ),
}


def dots(states: str, label: str) -> Markup:
    """The five stations of a job, one letter each.

    d done, n now, w waits for people, x failed or refused, v live, o not reached, - left out.
    """
    places = [9 + 20 * index for index in range(len(states))]
    line = Markup('<path d="M{} 8h20" stroke="currentColor" class="k-{}" stroke-width="1.5"/>')
    lines = [line.format(x, "line" if state == "o" else "ink") for x, state in zip(places, states[1:], strict=False)]
    marks = [_STATIONS[state].format(x=x) for x, state in zip(places, states, strict=True)]
    return Markup('<svg width="98" height="16" viewBox="0 0 98 16" role="img" aria-label="{}">{}</svg>').format(
        label, Markup("").join(lines + marks)
    )


def bullet(
    value: float,
    limit: float,
    sense: Sense = ">=",
    *,
    axis: tuple[float, float] = (0.0, 1.0),
    passed: bool = True,
    width: int = 110,
) -> Markup:
    """A rule's figure against its limit: the washed part is where it passes."""
    x = _scale(axis, 4, width - 4)
    start, end = (x(limit), width - 4) if sense in (">=", ">") else (4, x(limit))
    return Markup(
        '<svg width="{w}" height="18" viewBox="0 0 {w} 18" aria-hidden="true">'
        '<path d="M4 9H{full}" class="k-line" stroke="currentColor"/>'
        '<path d="M{a:.1f} 9H{b:.1f}" stroke="currentColor" stroke-width="5" class="k-good" opacity=".22"/>'
        '<path d="M{limit:.1f} 3V15" stroke="currentColor" stroke-width="1.5" class="k-ink"/>'
        '<circle cx="{at:.1f}" cy="9" r="4" fill="currentColor" class="k-{role}"/></svg>'
    ).format(w=width, full=width - 4, a=start, b=end, limit=x(limit), at=x(value), role="good" if passed else "bad")


def bar(share: float, label: str = "", role: str = "cand") -> Markup:
    """Progress, `share` from 0 to 1, as wide as its box; without a label it is decoration."""
    name = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="bar" viewBox="0 0 120 4" preserveAspectRatio="none" {}><rect width="120" height="4" class="wash"/>'
        '<rect width="{:.1f}" height="4" class="k-{} k" fill="currentColor"/></svg>'
    ).format(name, 120 * min(max(share, 0.0), 1.0), role)


def share_bar(share: float, role: str = "cand", width: int = 160) -> Markup:
    """A part of a whole in a table, `share` from 0 to 1; the figure stands beside it."""
    return Markup(
        '<svg width="{w}" height="10" viewBox="0 0 {w} 10" aria-hidden="true"><rect width="{w}" height="10" rx="2" '
        'class="wash"/><rect width="{part:.1f}" height="10" rx="2" class="k-{role}" fill="currentColor"/></svg>'
    ).format(w=width, part=max(2.0, width * min(max(share, 0.0), 1.0)), role=role)


def stacked(parts: Sequence[tuple[int, str]], width: int = 1000, height: int = 14) -> Markup:
    """Where each of many things went: (count, role) from left to right. Empty parts are left out."""
    shown = [(count, role) for count, role in parts if count > 0]
    total = sum(count for count, _ in shown) or 1
    widths = [max(5.0, width * count / total) for count, _ in shown]
    stretch = width / (sum(widths) + 3 * max(len(shown) - 1, 0)) if shown else 1.0
    rectangles, x = list[Markup](), 0.0
    for (_, role), part in zip(shown, widths, strict=True):
        rectangles.append(
            Markup('<rect x="{:.1f}" width="{:.1f}" height="{}" class="k-{}" fill="currentColor"/>').format(
                x * stretch, part * stretch, height, role
            )
        )
        x += part + 3
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {h}" preserveAspectRatio="none" height="{h}" aria-hidden="true">{}</svg>'
    ).format(width, Markup("").join(rectangles), h=height)


def strip(
    values: Sequence[float],
    *,
    axis: tuple[float, float] | None = None,
    until: float = 1.0,
    role: str = "ink",
    width: int = 270,
    height: int = 52,
) -> Markup:
    """A small curve without an axis; its figures stand in words above. `until` is the part of the width it fills."""
    if len(values) < 2:
        return Markup("")
    x = _scale((0, len(values) - 1), 0, width * until)
    y = _scale(axis or (min(values), max(values)), height - 2, 4)
    line = "M" + "L".join(f"{x(index):.1f} {y(value):.1f}" for index, value in enumerate(values))
    return Markup(
        '<svg class="chart k-{role}" viewBox="0 0 {w} {h}" aria-hidden="true">'
        '<path d="M0 {base}H{w}" class="k-line" stroke="currentColor"/>'
        '<path d="{line}L{end:.1f} {foot}L0 {foot}Z" fill="currentColor" opacity=".08"/>'
        '<path d="{line}" fill="none" stroke="currentColor" stroke-width="1.3"/></svg>'
    ).format(role=role, w=width, h=height, base=height - 0.5, foot=height - 1, line=escape(line), end=width * until)


def _scale(axis: tuple[float, float], start: float, end: float):
    """A function from values on the axis to places in the picture; values beyond the axis stay at its ends."""
    low, high = axis
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return start + (end - start) * (min(max(value, low), high) - low) / span

    return place
