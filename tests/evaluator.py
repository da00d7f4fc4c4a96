"""The evaluator's use cases with a real database and artifact store; a function stands for the models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.evaluator.evaluation.adapters.mongo import MongoEvaluationStore, MongoProductionStore, MongoProgressStore
from services.evaluator.evaluation.ports import Evaluation, ProductionRecord, Progress
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.scoring.adapters.metrics import registry
from services.evaluator.scoring.adapters.mongo import MongoScoringStore
from services.evaluator.scoring.domain.answer import Answer, answer_lines
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.scored import Scored, scored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.ports import ScoringRecord
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites.adapters.mongo import MongoSuiteStore
from services.evaluator.suites.adapters.questions import read_questions
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.ports import SuiteRecord
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared.artifacts import Artifacts
from shared.store import Store

Says = Callable[[str | None, int, Item], str]
"""The answer of a version, None for the base model, to the item at a place; may raise `CannotBeScored`."""


@dataclass
class ScriptedScorer:
    """Scores like the worker, with answers from a function; `asked` are the targets in order."""

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
    scorer = ScriptedScorer(files, says)
    production = MongoProductionStore(store.collection("production", ProductionRecord))
    scorings = Scorings(MongoScoringStore(store.collection("scorings", ScoringRecord)), scorer, lease_s=30)
    suites = MongoSuiteStore(store.collection("suites", SuiteRecord))
    return Evaluations(
        MongoEvaluationStore(store.collection("evaluations", Evaluation)),
        production,
        MongoProgressStore(store.collection("progress", Progress)),
        EvaluationRunner(scorings, production, files),
        SuiteCatalog(suites, SuiteFolders(*folders, SHIPPED), files, registry.check),
        files,
        protocol="p",
    )
