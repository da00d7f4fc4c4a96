"""The evaluator's use cases with a real database and artifact store; a function stands for the models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.evaluator.evaluation.domain.evaluation import Evaluation, Progress
from services.evaluator.evaluation.domain.job_rubric import JobRubric
from services.evaluator.evaluation.domain.production import Production
from services.evaluator.evaluation.service.evaluation_runner import EvaluationRunner
from services.evaluator.evaluation.service.evaluations import Evaluations
from services.evaluator.evaluation.service.job_rubrics import JobRubrics
from services.evaluator.evaluation.service.suite_runner import SuiteRunner
from services.evaluator.scoring.domain.answer import Answer, answer_lines
from services.evaluator.scoring.domain.item import Item
from services.evaluator.scoring.domain.scoring import Scoring
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores, target_scores
from services.evaluator.scoring.service.scorings import Scorings
from services.evaluator.suites.adapters.questions import TaskChecker, read_questions
from services.evaluator.suites.adapters.suite_folders import SHIPPED, SuiteFolders
from services.evaluator.suites.domain.suite import FolderSuite, Suite, SuitePins
from services.evaluator.suites.service.suite_catalog import SuiteCatalog
from shared.artifacts import Artifacts
from shared.security import Key
from shared.store import BaseStore

Says = Callable[[str | None, int, Item], str]
"""The answer of a version, None for the base model, to the item at a place; may raise `CannotBeScored`."""
AUTHOR = Key(id="key_author", name="author", sha256="", scopes=("train",), created_at=0)


@dataclass
class ScriptedScorer:
    """Scores like the worker, with answers from a function; `asked` are the targets in order."""

    files: Artifacts
    says: Says
    asked: list[Target] = field(default_factory=list)

    async def score(self, target: Target) -> TargetScores:
        self.asked.append(target)
        questions = read_questions(self.files, target, 1024)
        answers = [Answer(self.says(target.version, place, item)) for place, item in enumerate(questions.items)]
        measured = questions.measure(answers)
        measured |= questions.fairness(measured)
        lines = answer_lines(questions.items, answers, {name: value.items for name, value in measured.items()})
        return target_scores(questions.items, answers, measured, self.files.put_bytes(lines), 0.1)


def suite_catalog(store: BaseStore, files: Artifacts, *folders: Path) -> SuiteCatalog:
    return SuiteCatalog(
        store=store.collection("suites", Suite, few=True),
        pins=store.collection("suite_pins", SuitePins),
        published=store.collection("folder_suites", FolderSuite),
        folders=SuiteFolders(*folders, SHIPPED),
        files=files,
        task_check=TaskChecker(files),
    )


def job_rubrics(store: BaseStore) -> JobRubrics:
    """The rubrics of jobs; one that is not known is not waited for."""
    return JobRubrics(store.collection("job_rubrics", JobRubric), patience_s=0)


def evaluations_over(store: BaseStore, files: Artifacts, says: Says, *folders: Path) -> Evaluations:
    scorings = Scorings(store.collection("scorings", Scoring), ScriptedScorer(files, says), lease_s=30)
    production = store.collection("production", Production)
    runner = EvaluationRunner(scorings, production, files)
    return Evaluations(
        store=store.collection("evaluations", Evaluation),
        production=production,
        runner=runner,
        suite_runner=SuiteRunner(runner, store.collection("progress", Progress), job_rubrics(store)),
        suite_catalog=suite_catalog(store, files, *folders),
        files=files,
        protocol="p",
    )
