"""What review answers by HTTP."""

from services.review.api.reviews import problems, routes

__all__ = ["problems", "routes"]
