"""The child process that scores one target: asks the engine, measures the answers, stores them."""

import asyncio
import time
from collections.abc import Sequence

from pydantic import BaseModel

from services.evaluator.config import Settings
from services.evaluator.judging.adapters.configured_judge import connect_judge
from services.evaluator.judging.domain.rubric import Rubric
from services.evaluator.judging.service.judge import JudgeScores
from services.evaluator.scoring.adapters.merged_vllm import MergedVllm
from services.evaluator.scoring.adapters.vllm import Vllm
from services.evaluator.scoring.domain.answer import Answer, answer_lines
from services.evaluator.scoring.domain.item import CannotBeScored
from services.evaluator.scoring.domain.target import Target
from services.evaluator.scoring.domain.target_scores import TargetScores, target_scores
from services.evaluator.scoring.ports import EngineUnavailable
from services.evaluator.scoring.service.answer_collector import Adapter, AnswerCollector
from services.evaluator.suites.adapters.questions import Questions, read_questions, read_task_of
from services.evaluator.suites.domain.task import LmEval
from shared import child, telemetry
from shared.artifacts import ArtifactError, Artifacts
from shared.events import Failure
from shared.weights.lora import CONFIG, WEIGHTS


class Request(BaseModel):
    """The one request that a worker gets."""

    settings: Settings
    target: Target


class Outcome(BaseModel):
    """The result of a scoring; exactly one field is set. `unavailable` says what to wait for."""

    scored: TargetScores | None = None
    failure: Failure | None = None
    unavailable: str | None = None


def main(parent: child.Parent) -> None:
    """Send one outcome. Any other error ends the process, and the scoring is tried again."""
    request = Request.model_validate(parent.request)
    common = request.settings.common
    telemetry.configure("evaluator", f"{common.instance or 'evaluator'}-worker", common.log_level)
    try:
        outcome = Outcome(scored=asyncio.run(score(request.settings, request.target)))
    except CannotBeScored as error:
        outcome = Outcome(failure=Failure(code=error.code, message=str(error)))
    except EngineUnavailable as error:
        outcome = Outcome(unavailable=str(error))
    parent.send(outcome.model_dump(mode="json"))


async def score(settings: Settings, target: Target) -> TargetScores:
    """Score one target. Raises `CannotBeScored` and `EngineUnavailable`."""
    started = time.monotonic()
    artifacts = Artifacts(settings.common.artifacts, create=False)
    try:
        adapter = _adapter(artifacts, target, settings)
        task = read_task_of(artifacts, target)
        if task is not None and task.lm_eval is not None:
            return await _harness(settings, artifacts, target, adapter, task.lm_eval, started)
        questions = read_questions(artifacts, target, settings.max_tokens)
    except ArtifactError as error:
        raise CannotBeScored("artifact_damaged", str(error)) from None
    items = questions.items
    async with _engine(settings, target) as engine:
        collector = AnswerCollector(engine, settings.concurrency, settings.engine_wait_s)
        answers = await collector.answers(target.base_model, adapter, items, questions.max_tokens)
    measured = questions.measure(answers, settings.metrics)
    invalid = 0
    if questions.judged:
        judged = await _judge(settings, _rubric(artifacts, target), questions, answers)
        measured |= {name: found.measured for name, found in judged.items()}
        invalid = sum(found.invalid for found in judged.values())
    measured |= questions.fairness(measured)
    lines = artifacts.put_bytes(answer_lines(items, answers, {name: value.items for name, value in measured.items()}))
    return target_scores(items, answers, measured, lines, time.monotonic() - started).model_copy(
        update={"judge_invalid": invalid}
    )


async def _harness(
    settings: Settings, artifacts: Artifacts, target: Target, adapter: Adapter | None, task: LmEval, started: float
) -> TargetScores:
    # Takes seconds to import.
    from services.evaluator.suites.adapters.lm_eval_runner import LmEvalRunner

    async with _engine(settings, target) as engine:
        collector = AnswerCollector(engine, settings.concurrency, settings.engine_wait_s)
        async with collector.model(target.base_model, adapter) as model:
            result = await LmEvalRunner(engine, model, settings.lm_eval_tasks).run(task)
    return result.target_scores(artifacts.put_bytes(result.lines), time.monotonic() - started)


def _engine(settings: Settings, target: Target) -> Vllm:
    api_key = settings.engine_api_key.get_secret_value()
    server = settings.engine_of(target.base_model), api_key, settings.request_timeout_s
    if settings.engine_mode == "weights":
        return MergedVllm(*server, settings.common.cache_dir.resolve())
    return Vllm(*server, confidence=True)


def _rubric(artifacts: Artifacts, target: Target) -> Rubric:
    if target.rubric is None:
        return Rubric()
    try:
        return Rubric.model_validate_json(artifacts.read(target.rubric))
    except ArtifactError as error:
        raise CannotBeScored("artifact_damaged", f"the policy's rubric: {error}") from None


async def _judge(
    settings: Settings, rubric: Rubric, questions: Questions, answers: Sequence[Answer]
) -> dict[str, JudgeScores]:
    async with connect_judge(settings, rubric) as judge:
        return {name: await judge.measure(name, questions.items, answers) for name in questions.judged}


def _adapter(artifacts: Artifacts, target: Target, settings: Settings) -> Adapter | None:
    if target.adapter is None or target.adapter_name is None:
        return None
    # Absolute, because the engine's working folder is a different one.
    folder = artifacts.fetch_folder(target.adapter, settings.common.cache_dir.resolve() / "adapters")
    if (folder / "config.json").is_file():
        if settings.engine_mode == "weights":
            return Adapter(target.adapter_name, folder)
        raise CannotBeScored(
            "whole_model", "a whole model needs an engine with merged weights: set EVALUATOR_ENGINE_MODE=weights"
        )
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        raise CannotBeScored("adapter_damaged", f"the adapter lacks {' and '.join(missing)}")
    return Adapter(target.adapter_name, folder)


if __name__ == "__main__":
    child.run(main)
