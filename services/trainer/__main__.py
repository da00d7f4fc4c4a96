"""Runs the trainer: `python -m services.trainer`."""

from services.trainer.app import build
from services.trainer.config import Settings
from shared import telemetry, tracing, web


def main() -> None:
    settings = Settings()
    telemetry.configure("trainer", settings.common.instance, settings.common.log_level)
    tracing.configure("trainer", settings.common.instance)
    web.serve(build(settings), settings)


if __name__ == "__main__":
    main()
