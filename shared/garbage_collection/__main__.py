"""Show, and with `--remove` remove, the artifacts and cache entries that nothing names any more.

The services may run. The settings are those of the services, `ASSAY_NATS_URL` with the user `operator` and
`ASSAY_MONGO_URL` with a user who may read all databases of the services. Caches are those of this machine.
"""

import argparse

from pymongo.errors import PyMongoError

from shared.artifacts import ArtifactStoreAway
from shared.garbage_collection.garbage_collection import GRACE_DAYS, LEAST_GRACE_DAYS, collect
from shared.garbage_collection.progress_lines import progress_lines
from shared.garbage_collection.refusal import CollectionRefused
from shared.operator_commands import result_of
from shared.settings import CommonSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.garbage_collection", description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove the garbage; without it nothing is changed")
    parser.add_argument(
        "--grace-days", type=grace_days, default=GRACE_DAYS, help=f"keep what is younger (default {GRACE_DAYS:g})"
    )
    parser.add_argument("--archive", default="", help="where archived facts are (default: events/ in ASSAY_ARTIFACTS)")
    arguments = parser.parse_args()
    work = collect(
        CommonSettings(), arguments.grace_days, progress_lines(), remove=arguments.remove, archive=arguments.archive
    )
    report = result_of(work, CollectionRefused, ArtifactStoreAway, PyMongoError)
    print(report.summary(removed=arguments.remove, how="--remove"))


def grace_days(text: str) -> float:
    """Days from the command line; an error below the least that is safe."""
    days = float(text)
    if days < LEAST_GRACE_DAYS:
        raise argparse.ArgumentTypeError(f"must be at least {LEAST_GRACE_DAYS:g} days, not {text}")
    return days


if __name__ == "__main__":
    main()
