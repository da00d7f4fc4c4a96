"""Paraphrased tasks by HTTP."""

from typing import Annotated, Any

from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.evaluator.judging.service.paraphrasing import ParaphrasedTask, Paraphrasing, TaskNotFound
from shared.web import allow, problem


@post("/{name:str}/tasks/{task:str}/paraphrases")
async def paraphrases(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    task: FromPath[str],
    paraphrasing: NamedDependency[Paraphrasing],
    into: Annotated[str, Parameter(min_length=1, max_length=20)],
    seed: Annotated[int, Parameter()] = 0,
) -> ParaphrasedTask:
    """Have the judge's model paraphrase a task's questions, and keep them as the task `into` of the same suite."""
    return await paraphrasing.paraphrase(name, task, into, seed, request.state.key)


def _not_found(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


problems: dict[Any, Any] = {TaskNotFound: _not_found}
routes = Router("/v1/suites", route_handlers=[paraphrases], guards=[allow("train")], tags=["suites"])
