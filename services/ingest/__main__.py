"""Runs ingest: `python -m services.ingest`."""

from services.ingest.app import build
from services.ingest.config import Settings
from shared import telemetry, tracing, web


def main() -> None:
    settings = Settings()
    telemetry.configure("ingest", settings.common.instance, settings.common.log_level)
    tracing.configure("ingest", settings.common.instance)
    web.serve(build(settings), settings)


if __name__ == "__main__":
    main()
