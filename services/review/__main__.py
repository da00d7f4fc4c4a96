"""Runs review: `python -m services.review`."""

from services.review.app import build
from services.review.config import Settings
from shared import telemetry, tracing, web


def main() -> None:
    settings = Settings()
    telemetry.configure("review", settings.common.instance, settings.common.log_level)
    tracing.configure("review", settings.common.instance)
    web.serve(build(settings), settings)


if __name__ == "__main__":
    main()
