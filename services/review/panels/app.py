"""Puts the panels together: collections and use cases."""

from dataclasses import dataclass
from typing import Any

from services.review.panels.adjudication import Adjudication
from services.review.panels.assignments import Assignments
from services.review.panels.calibration import Calibration, KnownItems
from services.review.panels.completion import Completion, Decider
from services.review.panels.domain.item import StoredItem
from services.review.panels.domain.member import Member
from services.review.panels.domain.review import Review
from services.review.panels.domain.scorecard import Scorecard
from services.review.panels.lifecycle import Lifecycle, Reopener
from services.review.panels.opening import Files, Opening
from services.review.panels.progress import Progress
from services.review.panels.review_withdrawal import Withdrawal
from shared.store import Collection
from shared.store.outgoing import BaseStore

SCORECARD_INDEXES = (("review_id", "complete"), ("review_id", "sealed"), ("review_id", "disputed"))


@dataclass(frozen=True)
class Records:
    """The collections of the panels."""

    reviews: Collection[Review]
    items: Collection[StoredItem]
    scorecards: Collection[Scorecard]
    members: Collection[Member]

    @classmethod
    def of(cls, store: BaseStore) -> "Records":
        return cls(
            reviews=store.collection("reviews", Review, ["opened_at", ("status", "opened_at")]),
            items=store.collection("items", StoredItem, ["review_id"]),
            scorecards=store.collection("scorecards", Scorecard, SCORECARD_INDEXES),
            members=store.collection("members", Member, ["review_id"]),
        )

    def withdrawal(self) -> Withdrawal:
        """Ends reviews whose scores no longer count."""
        return Withdrawal(reviews=self.reviews)

    def opening(self, files: Files) -> Opening:
        """The use case that runs need of the panels."""
        return Opening(reviews=self.reviews, items=self.items, scorecards=self.scorecards, files=files)


@dataclass(frozen=True)
class Panels:
    """The use cases over reviews."""

    assignments: Assignments
    adjudication: Adjudication
    lifecycle: Lifecycle
    progress: Progress
    completion: Completion

    @classmethod
    def of(cls, records: Records, *, decide: Decider, run_reopened: Reopener, known_items: KnownItems) -> "Panels":
        completion = Completion(reviews=records.reviews, scorecards=records.scorecards, decide=decide)
        assignments = Assignments(
            reviews=records.reviews,
            items=records.items,
            scorecards=records.scorecards,
            members=records.members,
            calibration=Calibration(members=records.members, known_items=known_items),
            scored=completion.scored,
        )
        return cls(
            assignments=assignments,
            adjudication=Adjudication(assignments=assignments, decided=completion.scored),
            lifecycle=Lifecycle(assignments=assignments, run_reopened=run_reopened),
            progress=Progress(assignments),
            completion=completion,
        )

    def dependencies(self) -> dict[str, Any]:
        """What the route handlers of the panels need, by name."""
        return {
            "assignments": self.assignments,
            "adjudication": self.adjudication,
            "lifecycle": self.lifecycle,
            "progress": self.progress,
        }
