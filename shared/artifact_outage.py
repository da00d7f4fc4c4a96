"""Whether an error is an outage of the artifact store, so that the same work succeeds later."""

import errno

from shared.artifacts import ArtifactStoreAway

_FULL = (errno.ENOSPC, errno.EDQUOT)
# The packages that speak to object stores; some of their errors have no other common base.
_CLIENTS = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "adlfs"})


def is_outage(error: BaseException) -> bool:
    """True for a store that is away or does not answer; a full disk and a missing artifact are none."""
    if isinstance(error, ArtifactStoreAway | ConnectionError | TimeoutError):
        return True
    return type(error).__module__.partition(".")[0] in _CLIENTS


def is_away_or_full(error: BaseException) -> bool:
    """True for an outage, and for a disk or quota that is full."""
    return is_outage(error) or getattr(error, "errno", None) in _FULL
