"""Pairs by HTTP."""

import json
from typing import Any, Self

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from pydantic import BaseModel, Field

from services.review.access import caller_of
from services.review.pairs.domain.export import Shape, rows
from services.review.pairs.domain.pair import Pair, Side
from services.review.pairs.domain.win_rate import WinRate, win_rate
from services.review.pairs.service import Pairs
from services.review.policies.domain.data import Data
from shared.web import allow

AnyRequest = Request[Any, Any, Any]


class PreferenceInput(Data):
    """Which answer is better, as the caller sees them."""

    better: Side
    comment: str = Field(default="", max_length=4000)


class PairView(BaseModel):
    """One pair as a reviewer sees it, without the names of the models."""

    id: str
    prompt: Any
    left: str
    right: str

    @classmethod
    def of(cls, pair: Pair, reviewer: str) -> Self:
        left, right = pair.shown_to(reviewer)
        return cls(id=pair.item_id, prompt=pair.prompt, left=left, right=right)


@post("/reviews/{review_id:str}/pairs/next", status_code=200)
async def next_pair(
    request: AnyRequest, review_id: FromPath[str], pairs: NamedDependency[Pairs]
) -> dict[str, PairView | None]:
    """Your next pair, None when you have compared all."""
    caller = caller_of(request)
    found = await pairs.next(review_id, caller)
    return {"pair": PairView.of(found, caller.id) if found else None}


@post("/reviews/{review_id:str}/pairs/{item_id:str}/preference", status_code=200)
async def prefer(
    request: AnyRequest,
    review_id: FromPath[str],
    item_id: FromPath[str],
    data: JSONBody[PreferenceInput],
    pairs: NamedDependency[Pairs],
) -> PairView:
    """Say which answer is better: `left`, `right` or `tie`."""
    caller = caller_of(request)
    return PairView.of(await pairs.prefer(review_id, item_id, caller, data.better, data.comment), caller.id)


@get("/reviews/{review_id:str}/pairs/win-rate")
async def rate(review_id: FromPath[str], pairs: NamedDependency[Pairs]) -> WinRate:
    """How often the checkpoint wins against production."""
    return win_rate(await pairs.all(review_id))


@get("/reviews/{review_id:str}/pairs/export")
async def export(
    review_id: FromPath[str], pairs: NamedDependency[Pairs], shape: FromQuery[Shape] = "trl"
) -> Response[bytes]:
    """The preferences as JSON Lines, in the shape of TRL or of OpenAI."""
    found = rows(await pairs.all(review_id), shape)
    content = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in found)
    return Response(content, media_type="application/jsonl")


routes = Router("/v1", route_handlers=[next_pair, prefer, rate, export], guards=[allow("review")], tags=["pairs"])
