"""What review answers by HTTP: reviews and their items, policies, and the verdict over each job."""

from typing import Annotated, Any, Literal

from litestar import Request, Response, Router, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, Parameter

from services.review.api.views import ItemView, ReviewView, RunView, items_of
from services.review.domain.policy import Policy, PolicyContent
from services.review.domain.review import ItemScores, ReviewClosed, UnknownItem
from services.review.ports import ReviewRecord
from services.review.service.reviews import Reviews
from services.review.service.rulebook import Rulebook
from shared.web import NotFound, allow, problem

AnyRequest = Request[Any, Any, Any]


@get("/reviews")
async def newest(
    request: AnyRequest,
    reviews: NamedDependency[Reviews],
    status: Annotated[Literal["open", "closed"] | None, Parameter()] = None,
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> list[ReviewView]:
    """The newest reviews."""
    return [ReviewView.of(record, _reviewer(request)) for record in await reviews.reviews.newest(status, limit)]


@get("/reviews/{review_id:str}")
async def review(request: AnyRequest, review_id: FromPath[str], reviews: NamedDependency[Reviews]) -> ReviewView:
    """One review and how far it is."""
    return ReviewView.of(await _found(reviews, review_id), _reviewer(request))


@get("/reviews/{review_id:str}/items")
async def items(request: AnyRequest, review_id: FromPath[str], reviews: NamedDependency[Reviews]) -> list[ItemView]:
    """The items to be scored, in an order of the asking reviewer's own."""
    return items_of(await _found(reviews, review_id), _reviewer(request))


@post("/reviews/{review_id:str}/items/{item_id:str}/scores", status_code=200)
async def score(
    request: AnyRequest,
    review_id: FromPath[str],
    item_id: FromPath[str],
    data: JSONBody[ItemScores],
    reviews: NamedDependency[Reviews],
) -> ReviewView:
    """Score one item from 1 to 5 on each criterion; again while the review is open to replace it."""
    record = await reviews.score(review_id, _reviewer(request), item_id, data)
    if record is None:
        raise NotFound(f"there is no review {review_id!r}")
    return ReviewView.of(record, _reviewer(request))


@get("/runs/{job_id:str}")
async def run(request: AnyRequest, job_id: FromPath[str], reviews: NamedDependency[Reviews]) -> RunView:
    """The verdict over a job, with every rule and figure that led to it."""
    found = await reviews.run(job_id)
    if found is None:
        raise NotFound(f"nothing is known of a job {job_id!r}")
    return RunView.of(*found, _reviewer(request))


@get("/policies")
async def policies(rulebook: NamedDependency[Rulebook]) -> list[Policy]:
    """Every policy in force."""
    return await rulebook.all()


@get("/policies/{name:str}")
async def policy(name: FromPath[str], rulebook: NamedDependency[Rulebook]) -> Policy:
    """The newest revision of one policy."""
    found = await rulebook.get(name)
    if found is None:
        raise NotFound(f"there is no policy {name!r}")
    return found


@put("/policies/{name:str}", guards=[allow("admin")])
async def put_policy(name: FromPath[str], data: JSONBody[PolicyContent], rulebook: NamedDependency[Rulebook]) -> Policy:
    """Make this the policy of that name. Runs that are decided keep the one they were decided by."""
    return await rulebook.put(name, data)


def _reviewer(request: AnyRequest) -> str:
    return request.state.key.id


async def _found(reviews: Reviews, review_id: str) -> ReviewRecord:
    record = await reviews.reviews.get(review_id)
    if record is None:
        raise NotFound(f"there is no review {review_id!r}")
    return record


def _closed(_request: AnyRequest, error: ReviewClosed) -> Response[Any]:
    return problem(409, "Review closed", str(error))


def _no_item(_request: AnyRequest, error: UnknownItem) -> Response[Any]:
    return problem(404, "Not found", str(error))


problems: dict[Any, Any] = {ReviewClosed: _closed, UnknownItem: _no_item}
routes = Router(
    "/v1",
    route_handlers=[newest, review, items, score, run, policies, policy, put_policy],
    guards=[allow("review")],
    tags=["reviews"],
)
