"""A scorecard: who scores one item, under which lease, and what they gave."""

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class NotAssigned(Exception):
    """The item belongs to other reviewers."""


class ReviewClosed(Exception):
    """The review takes no more scores."""


class Score(BaseModel):
    """One reviewer's scores of one item. Times are in Unix seconds; `seconds` is what the reviewer took, if known."""

    model_config = ConfigDict(frozen=True)

    points: dict[str, int]
    comment: str = Field(default="", max_length=4000)
    seconds: float | None = Field(default=None, ge=0, le=86400, allow_inf_nan=False)
    discuss: bool = False
    at: float = 0

    def same_as(self, other: "Score") -> bool:
        """Whether both say the same, whenever they were given."""
        return (self.points, self.comment, self.discuss) == (other.points, other.comment, other.discuss)


class Seat(BaseModel):
    """One reviewer's place at an item. Without a score it is a lease; None in `leased_until` never expires."""

    model_config = ConfigDict(frozen=True)

    reviewer: str
    leased_until: float | None = None
    score: Score | None = None

    def taken(self, now: float) -> bool:
        """Whether this seat is scored, or leased for longer."""
        return self.score is not None or self.leased_until is None or self.leased_until > now


class Decision(BaseModel):
    """What an adjudicator decided about an item on which reviewers differ. `at` is in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    points: dict[str, int]
    by: str
    reason: str = Field(default="", max_length=2000)
    at: float = 0


class Scorecard(BaseModel):
    """All scores of one item. At most `wanted` seats are taken; `complete` once all of them are scored.

    A sealed scorecard takes no more scores, so that a verdict counts all that were accepted.
    """

    model_config = ConfigDict(frozen=True)

    review_id: str
    item_id: str
    wanted: int
    seats: tuple[Seat, ...] = ()
    complete: bool = False
    sealed: bool = False
    disputed: bool = False
    decision: Decision | None = None

    @property
    def id(self) -> str:
        """The ids of review and item."""
        return item_key(self.review_id, self.item_id)

    @property
    def scores(self) -> dict[str, Score]:
        """The scores by reviewer."""
        return {seat.reviewer: seat.score for seat in self.seats if seat.score}

    def seat_of(self, reviewer: str) -> Seat | None:
        """The reviewer's seat, if there is one."""
        return next((seat for seat in self.seats if seat.reviewer == reviewer), None)

    def open_to(self, reviewer: str, now: float) -> bool:
        """Whether the reviewer has a seat or can take one."""
        return self.seat_of(reviewer) is not None or len(self._taken(now)) < self.wanted

    def leased(self, reviewer: str, until: float | None, now: float) -> Self:
        """With the reviewer's lease taken or extended; raises `NotAssigned` when others hold all seats."""
        seat = self.seat_of(reviewer)
        if seat is not None and (seat.score is not None or seat.leased_until is None):
            return self
        return self._seated(Seat(reviewer=reviewer, leased_until=until), now)

    def scored(self, reviewer: str, score: Score, now: float) -> Self | None:
        """With one more score, or another in its place; None when it is the same again."""
        seat = self.seat_of(reviewer)
        if seat is not None and seat.score is not None and seat.score.same_as(score):
            return None
        if self.sealed:
            raise ReviewClosed("this review is closed and takes no more scores")
        return self._seated(Seat(reviewer=reviewer, score=score), now)

    def undone(self, reviewer: str, until: float) -> Self | None:
        """Without the reviewer's score, which becomes a lease again; None where there is no score."""
        seat = self.seat_of(reviewer)
        if seat is None or seat.score is None:
            return None
        if self.sealed:
            raise ReviewClosed("this review is closed: its scores can no longer be undone")
        return self._with(Seat(reviewer=reviewer, leased_until=until), self._others(reviewer))

    def reassigned(self, old: str, new: str) -> Self | None:
        """With the unfinished seat of one reviewer given to another; None where there is nothing to give."""
        seat = self.seat_of(old)
        if seat is None or seat.score is not None or self.sealed:
            return None
        others = self._others(old)
        return self._with(Seat(reviewer=new), others) if self.seat_of(new) is None else self._with(None, others)

    def _seated(self, seat: Seat, now: float) -> Self:
        others = tuple(each for each in self._others(seat.reviewer) if each.taken(now))
        if len(others) >= self.wanted:
            raise NotAssigned(f"the item {self.item_id!r} is assigned to other reviewers")
        return self._with(seat, others)

    def _with(self, seat: Seat | None, others: tuple[Seat, ...]) -> Self:
        seats = (*others, seat) if seat else others
        complete = sum(each.score is not None for each in seats) >= self.wanted
        return self.model_copy(update={"seats": seats, "complete": complete})

    def _others(self, reviewer: str) -> tuple[Seat, ...]:
        return tuple(each for each in self.seats if each.reviewer != reviewer)

    def _taken(self, now: float) -> list[Seat]:
        return [each for each in self.seats if each.taken(now)]

    def differences(self) -> dict[str, int]:
        """The difference between the highest and the lowest score of each criterion, in points; none without scores."""
        scores = [score.points for score in self.scores.values()]
        return (
            {name: max(s[name] for s in scores) - min(s[name] for s in scores) for name in scores[0]} if scores else {}
        )

    def spread(self) -> int:
        """The largest difference between two reviewers on a criterion, in points."""
        return max(self.differences().values(), default=0)


def item_key(review_id: str, item_id: str) -> str:
    """The id of an item's documents."""
    return f"{review_id}/{item_id}"


def place_for(reviewer: str, item_id: str) -> bytes:
    """Sorts items in a random order that is fixed for each reviewer."""
    return hashlib.sha256(f"{reviewer}/{item_id}".encode()).digest()
