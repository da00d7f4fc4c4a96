"""Places in a chart: labels that do not touch, and lines as SVG paths."""

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

LABEL_PX = 34


def pushed_apart(wanted: Sequence[float], lowest: float) -> list[float]:
    """Places from top to bottom with room for two lines each; the last one is not below `lowest`."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place + 4, places[-1] + LABEL_PX if places else float("-inf")))
    for index in range(len(places) - 1, -1, -1):
        limit = lowest if index == len(places) - 1 else places[index + 1] - LABEL_PX
        places[index] = min(places[index], limit)
    return places


def apart(steps: Sequence[int], x: Callable[[float], float]) -> list[int]:
    """The steps whose labels do not touch; the last one always stays."""
    kept: list[int] = []
    for step in reversed(steps):
        if not kept or x(kept[-1]) - x(step) > 44:
            kept.append(step)
    return kept[::-1]


def path(points: Sequence[tuple[float, float]]) -> Markup:
    return escape("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points))
