"""What people see of review in the browser."""

from services.review.pages.routes import routes

__all__ = ["routes"]
