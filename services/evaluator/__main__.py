"""Runs evaluator: `python -m services.evaluator`."""

from services.evaluator.app import build
from services.evaluator.config import Settings
from shared import telemetry, tracing, web


def main() -> None:
    settings = Settings()
    telemetry.configure("evaluator", settings.common.instance, settings.common.log_level)
    tracing.configure("evaluator", settings.common.instance)
    web.serve(build(settings), settings)


if __name__ == "__main__":
    main()
