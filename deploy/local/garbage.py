"""Garbage collection of the local stack, which may run or be stopped."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from nats.errors import Error as NatsError
from pymongo.errors import PyMongoError

from deploy.local import stack
from deploy.local.backup import STORES, common_settings
from deploy.local.settings import LocalSettings
from deploy.local.stack import Say, StackError
from deploy.local.supervision import Supervisor
from shared.artifacts import ArtifactStoreAway
from shared.garbage_collection.garbage_collection import GRACE_DAYS, collect
from shared.garbage_collection.progress_lines import progress_lines
from shared.garbage_collection.refusal import CollectionRefused


def collect_garbage(settings: LocalSettings, say: Say, *, remove: bool) -> None:
    """Show the garbage, or remove it; raises `StackError`."""
    with _stores(settings, say):
        try:
            report = asyncio.run(collect(common_settings(settings), GRACE_DAYS, progress_lines(), remove=remove))
        except (CollectionRefused, ArtifactStoreAway, NatsError, PyMongoError) as error:
            raise StackError(str(error)) from error
    say(report.summary(removed=remove, how="REMOVE=1"))


@contextmanager
def _stores(settings: LocalSettings, say: Say) -> Generator[None]:
    """NATS and MongoDB run; they are stopped again if nothing ran before."""
    if Supervisor(settings).pid() is not None:
        yield
        return
    stack.up(settings, say, only=STORES)
    try:
        yield
    finally:
        stack.down(settings, say)
