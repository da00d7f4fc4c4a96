"""An evaluator's use cases over a real database and artifact store, where a function stands for the models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.evaluator.adapters.metrics import registry
from services.evaluator.adapters.mongo import (
    MongoEvaluationStore,
    MongoProductionStore,
    MongoProgressStore,
    MongoScoringStore,
    MongoSuiteStore,
)
from services.evaluator.adapters.questions import read_questions
from services.evaluator.adapters.suites import SHIPPED, SuiteFolders
from services.evaluator.domain.results import Answer, Scored, Target, answer_lines
from services.evaluator.domain.scored import scored
from services.evaluator.domain.suite import Item
from services.evaluator.ports import Evaluation, ProductionRecord, Progress, ScoringRecord, SuiteRecord
from services.evaluator.service.evaluations import Evaluations
from services.evaluator.service.inquiry import Inquiry
from services.evaluator.service.scorings import Scorings
from services.evaluator.service.suitebook import Suitebook
from shared.artifacts import Artifacts
from shared.store import Store

Says = Callable[[str | None, int, Item], str]
"""What a version, None for the base model, says to the item at a place; it may raise `CannotBeScored`."""


@dataclass
class SpokenFor:
    """Scores as the job does, with answers from a function; `asked` are the targets in their order."""

    files: Artifacts
    says: Says
    asked: list[Target] = field(default_factory=list)

    async def score(self, target: Target) -> Scored:
        self.asked.append(target)
        questions = read_questions(self.files, target, 1024)
        answers = [Answer(self.says(target.version, place, item)) for place, item in enumerate(questions.items)]
        measured = questions.measure(answers)
        lines = answer_lines(questions.items, answers, {name: value.items for name, value in measured.items()})
        return scored(questions.items, answers, measured, self.files.put_bytes(lines), 0.1)


def evaluations_over(store: Store, files: Artifacts, says: Says, *folders: Path) -> Evaluations:
    scorer = SpokenFor(files, says)
    production = MongoProductionStore(store.collection("production", ProductionRecord))
    scorings = Scorings(MongoScoringStore(store.collection("scorings", ScoringRecord)), scorer, lease_s=30)
    suites = MongoSuiteStore(store.collection("suites", SuiteRecord))
    return Evaluations(
        MongoEvaluationStore(store.collection("evaluations", Evaluation)),
        production,
        MongoProgressStore(store.collection("progress", Progress)),
        Inquiry(scorings, production, files),
        Suitebook(suites, SuiteFolders(*folders, SHIPPED), files, registry.check),
        files,
        protocol="p",
    )
