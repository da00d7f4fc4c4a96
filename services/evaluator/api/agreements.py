"""The judge's agreement with people, by HTTP."""

from typing import Any, Self

from litestar import Request, Router, get
from litestar.di import NamedDependency
from pydantic import BaseModel

from services.evaluator.domain.agreement import Agreement
from services.evaluator.service.agreements import Agreements, Known
from shared.events import Failure
from shared.security import Key
from shared.web import allow


class ReviewView(BaseModel):
    """One review; `error` says why the judge could not judge it."""

    review_id: str
    job_id: str
    step: int
    agreement: Agreement | None
    error: Failure | None


class AgreementView(BaseModel):
    """Over all reviews, and in each of them."""

    judge: str
    overall: Agreement | None
    reviews: tuple[ReviewView, ...]

    @classmethod
    def of(cls, known: Known) -> Self:
        reviews = (
            ReviewView(review_id=name, job_id=judged.job_id, step=judged.step, agreement=agreement, error=judged.error)
            for name, (judged, agreement) in known.reviews.items()
        )
        return cls(judge=known.judge, overall=known.overall, reviews=tuple(reviews))


@get("/")
async def agreement(request: Request[Any, Any, Any], agreements: NamedDependency[Agreements]) -> AgreementView:
    """How the judge rated the answers that people rated, in the reviews of this key's checkpoints."""
    key: Key = request.state.key
    return AgreementView.of(await agreements.known(lambda judged: key.owns(judged.owner)))


routes = Router("/v1/agreement", route_handlers=[agreement], guards=[allow("train")], tags=["judge"])
