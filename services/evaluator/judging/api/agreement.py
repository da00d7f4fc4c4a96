"""The judge's agreement with people, by HTTP."""

from typing import Any, Self

from litestar import Request, Router, get
from litestar.di import NamedDependency
from pydantic import BaseModel

from services.evaluator.judging.domain.agreement import Agreement
from services.evaluator.judging.service.agreements import Agreements, JudgeAgreement
from shared.events import Failure
from shared.security import Key
from shared.web import allow


class ReviewView(BaseModel):
    """One review; `error` says why the judge could not rate it."""

    review_id: str
    job_id: str
    step: int
    agreement: Agreement | None
    error: Failure | None


class AgreementView(BaseModel):
    """Agreement over all reviews, and in each."""

    judge: str
    overall: Agreement | None
    reviews: tuple[ReviewView, ...]

    @classmethod
    def of(cls, known: JudgeAgreement) -> Self:
        reviews = (
            ReviewView(review_id=name, job_id=judged.job_id, step=judged.step, agreement=agreement, error=judged.error)
            for name, (judged, agreement) in known.reviews.items()
        )
        return cls(judge=known.judge, overall=known.overall, reviews=tuple(reviews))


@get("/")
async def agreement(request: Request[Any, Any, Any], agreements: NamedDependency[Agreements]) -> AgreementView:
    """How far the judge and people agree in the reviews of this key's checkpoints."""
    key: Key = request.state.key
    return AgreementView.of(await agreements.known(lambda judged: key.owns(judged.owner)))


problems: dict[Any, Any] = {}
routes = Router("/v1/agreement", route_handlers=[agreement], guards=[allow("train")], tags=["judge"])
