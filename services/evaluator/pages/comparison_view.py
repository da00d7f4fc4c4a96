"""A comparison as its page shows it: models, lines of scores, pictures, and the items that were asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

from markupsafe import Markup

from services.evaluator.comparison.domain.item_difference import ItemDifference, ItemFilter, passes
from services.evaluator.comparison.domain.model_facts import FactLine, fact_lines
from services.evaluator.comparison.service import CompleteComparison
from services.evaluator.pages.models import MOST_BARS, MOST_IN_RADAR, ShownModel, shown_models
from services.evaluator.pages.score_charts import Bar, BarGroup, bars, radar
from services.evaluator.pages.score_table import ScoreLine, pictured, score_lines, verdict_counts
from services.evaluator.pages.word_diff import WordDiff, word_diff
from shared.events import Comparison
from shared.pages.conversation import turns

PAGE_SIZE = 20
MOST_GROUPS, MOST_AXES, LEAST_AXES = 5, 8, 3
FILTERS: tuple[ItemFilter, ...] = ("lost", "gained", "changed", "all")


@dataclass(frozen=True)
class ItemChoice:
    """Which items the address asks for; empty and None stand for the defaults."""

    model: str = ""
    task: str | None = None
    which: ItemFilter | Literal[""] = ""
    page: int = 1
    item: str = ""

    def query(self, changes: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The parts of an address, without those that are the default."""
        default = ItemChoice()
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        values = {**own, **changes}
        return [(name, str(value)) for name, value in values.items() if value != getattr(default, name, "")]


class ComparisonView:
    """What the templates show. `checkpoints` says whether models are named `<job>/<step>`."""

    def __init__(self, found: CompleteComparison, choice: ItemChoice, *, checkpoints: bool) -> None:
        self.found = found
        self.figures = found.figures
        self.choice = choice
        self.baseline, *others = found.figures.models
        named = [name for name in others if name not in ("base", "production")]
        self.looked_at = choice.model if choice.model in others else next(iter([*named, *others]))
        self.models = shown_models(found, self.looked_at, checkpoints=checkpoints)
        self.counts = verdict_counts(found.figures)

    @cached_property
    def checkpoints(self) -> list[ShownModel]:
        return [model for model in self.models if model.name in self.found.facts]

    @property
    def warned(self) -> list[ShownModel]:
        """The models whose scores come with a warning."""
        return [model for model in self.models if self.found.warnings.get(model.name)]

    @cached_property
    def facts(self) -> list[FactLine]:
        """How the checkpoints were made; what differs comes first."""
        return fact_lines([self.found.facts[model.name] for model in self.checkpoints])

    @cached_property
    def lines(self) -> list[ScoreLine]:
        return score_lines(self.figures, self.found.items, self.looked_at)

    @cached_property
    def sources(self) -> Mapping[str, int]:
        """The number of items of each suite, and of the split, whose name is empty."""
        return Counter(item.task.partition(".")[0] for item in self.found.items)

    @cached_property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(item.task for item in self.found.items))

    @cached_property
    def _of_task(self) -> list[ItemDifference]:
        return [item for item in self.found.items if self.choice.task in (None, item.task)]

    @cached_property
    def filter_counts(self) -> dict[ItemFilter, int]:
        return {which: sum(passes(item, which, self.looked_at) for item in self._of_task) for which in FILTERS}

    @cached_property
    def which(self) -> ItemFilter:
        """The filter; by default the first one with an item, so that regressions come first."""
        if self.choice.which:
            return self.choice.which
        found: list[ItemFilter] = [which for which in FILTERS if self.filter_counts[which]]
        return found[0] if found else "all"

    @cached_property
    def _filtered(self) -> list[ItemDifference]:
        """The largest loss first; with the filter "gained" the largest gain."""
        sign = -1 if self.which == "gained" else 1
        found = [item for item in self._of_task if passes(item, self.which, self.looked_at)]
        return sorted(found, key=lambda item: sign * (item.difference(self.looked_at) or 0.0))

    @cached_property
    def page_count(self) -> int:
        return max(1, -(-len(self._filtered) // PAGE_SIZE))

    @cached_property
    def page(self) -> int:
        return min(self.choice.page, self.page_count)

    @cached_property
    def shown_items(self) -> list[ItemDifference]:
        return self._filtered[(self.page - 1) * PAGE_SIZE : self.page * PAGE_SIZE]

    @cached_property
    def opened(self) -> ItemDifference | None:
        """The item beside the list: the one that was chosen, else the first of the page."""
        chosen = (item for item in self.found.items if item.id == self.choice.item)
        return next(chosen, next(iter(self.shown_items), None))

    def turns(self, item: ItemDifference) -> list[tuple[str, str]]:
        return turns(item.prompt)

    def diff(self, item: ItemDifference, model: str) -> WordDiff | None:
        """The answer against the reference; None if the texts are too long to compare."""
        return word_diff(item.reference, item.answers[model])

    def model(self, name: str) -> ShownModel:
        return next(each for each in self.models if each.name == name)

    def test(self, metric: str) -> Comparison | None:
        """The paired test of the model that is looked at."""
        return next((each for each in self.figures.comparisons[self.looked_at] if each.metric == metric), None)

    @cached_property
    def bar_models(self) -> Sequence[ShownModel]:
        return self.models[:MOST_BARS]

    @cached_property
    def bar_lines(self) -> list[ScoreLine]:
        return pictured(self.lines, self.found.items, MOST_GROUPS)

    def bars(self, title: str) -> Markup:
        groups = [
            BarGroup(line.metric, line.n or 0, [self._bar(line, model) for model in self.bar_models])
            for line in self.bar_lines
        ]
        return bars(groups, title)

    @cached_property
    def radar_models(self) -> Sequence[ShownModel]:
        """The model that is looked at, the baseline and one more, in the order of the table."""
        wanted = [*dict.fromkeys([self.looked_at, self.baseline, *self.figures.models])][:MOST_IN_RADAR]
        return [model for model in self.models if model.name in wanted]

    @cached_property
    def radar_lines(self) -> list[ScoreLine]:
        lines = pictured(self.lines, self.found.items, MOST_AXES)
        return lines if len(lines) >= LEAST_AXES else []

    def radar(self, title: str) -> Markup:
        # The last one lies on top.
        models = sorted(self.radar_models, key=lambda model: model.name == self.looked_at)
        shapes = [(model.role, [self._bar(line, model).value for line in self.radar_lines]) for model in models]
        return radar([line.metric for line in self.radar_lines], shapes, title)

    def _bar(self, line: ScoreLine, model: ShownModel) -> Bar:
        cell = next(each for each in line.cells if each.model == model.name)
        assert cell.score is not None, "a picture has only lines on which every model has a figure"
        low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
        return Bar(cell.score.value, low, high, model.role)
