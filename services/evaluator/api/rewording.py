"""A task's questions in other words, by HTTP."""

from typing import Annotated, Any

from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from services.evaluator.service.rewording import NoSuchTask, Paraphrased, Rewording
from shared.web import allow, problem


@post("/{name:str}/tasks/{task:str}/paraphrases")
async def paraphrases(
    name: FromPath[str],
    task: FromPath[str],
    rewording: NamedDependency[Rewording],
    into: Annotated[str, Parameter(min_length=1, max_length=20)],
    seed: Annotated[int, Parameter()] = 0,
) -> Paraphrased:
    """Have the judge's model reword a task's questions, once, and keep them as the task `into` of the same suite."""
    return await rewording.paraphrase(name, task, into, seed)


def _unknown(_request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return problem(404, "Not found", str(error))


problems: dict[Any, Any] = {NoSuchTask: _unknown}
routes = Router("/v1/suites", route_handlers=[paraphrases], guards=[allow("train")], tags=["suites"])
