"""Runs the gateway: `python -m services.gateway`."""

from services.gateway.app import build
from services.gateway.config import Settings
from shared import telemetry, web


def main() -> None:
    settings = Settings()
    telemetry.configure("gateway", settings.common.instance, settings.common.log_level)
    web.serve(build(settings), settings)


if __name__ == "__main__":
    main()
