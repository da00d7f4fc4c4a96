"""Runs the gateway: `python -m services.gateway`."""

import gc

from services.gateway.app import build
from services.gateway.config import Settings
from shared import telemetry, tracing, web

# New objects; the default is 700.
COLLECT_AFTER = 20_000


def main() -> None:
    settings = Settings()
    telemetry.configure("gateway", settings.common.instance, settings.common.log_level)
    tracing.configure("gateway", settings.common.instance)
    fast_path = build(settings)
    # Imported objects are permanent: a garbage collection that walks them would delay answers by tens of milliseconds.
    gc.collect()
    gc.freeze()
    # Most objects of a request are freed without a collection; one every few requests is too often.
    gc.set_threshold(COLLECT_AFTER)
    web.serve(fast_path.application, settings, http=fast_path.protocol)


if __name__ == "__main__":
    main()
