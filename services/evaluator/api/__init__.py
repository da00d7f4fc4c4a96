"""What the evaluator answers by HTTP."""

from services.evaluator.api import agreements, comparisons, evaluations, explaining, rewording, suites

_PARTS = (evaluations, suites, comparisons, explaining, rewording)
routes = (*(part.routes for part in _PARTS), agreements.routes)
problems = {error: answer for part in _PARTS for error, answer in part.problems.items()}
