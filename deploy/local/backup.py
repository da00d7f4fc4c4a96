"""Backup and restore of the local stack, which must be stopped: only NATS and MongoDB run meanwhile."""

import asyncio
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import nats_passwords, stack
from deploy.local.settings import LocalSettings
from deploy.local.stack import Say, StackError
from deploy.local.supervision import Supervisor
from shared.backup import backup
from shared.backup.contents import BackupError
from shared.settings import CommonSettings, UrlWithPassword

STORES = ("nats", "mongo")
_ADMIN_KEY = "admin.key"


def save(settings: LocalSettings, folder: Path, say: Say) -> None:
    """Write a backup to a new folder; raises `StackError`."""
    with _stores(settings, say):
        contents = asyncio.run(backup.save(common_settings(settings), folder))
    shutil.copy2(settings.admin_key_file, folder / _ADMIN_KEY)
    say(f"saved in {folder}: {contents}")


def restore(settings: LocalSettings, folder: Path, say: Say) -> None:
    """Restore a backup into a state folder that holds no data yet; raises `StackError`."""
    settings.state.mkdir(parents=True, exist_ok=True)
    for saved, target in ((folder / "keys.json", settings.keys_file), (folder / _ADMIN_KEY, settings.admin_key_file)):
        # Without them a new key would be made, which is not in the backup.
        if saved.exists() and not target.exists():
            shutil.copy2(saved, target)
    with _stores(settings, say):
        contents = asyncio.run(backup.restore(common_settings(settings), folder))
    say(f"restored: {contents}; start everything with `make up`")


@contextmanager
def _stores(settings: LocalSettings, say: Say) -> Generator[None]:
    if Supervisor(settings).pid() is not None:
        raise StackError("the stack is running, and would change what is copied: stop it with `make down`")
    stack.up(settings, say, only=STORES)
    try:
        yield
    except BackupError as error:
        raise StackError(str(error)) from error
    finally:
        stack.down(settings, say)


def common_settings(settings: LocalSettings) -> CommonSettings:
    """The settings of a command that may read and change everything."""
    return CommonSettings(
        nats_url=UrlWithPassword(nats_passwords.operator_url(settings)),
        mongo_url=UrlWithPassword(settings.mongo_url),
        artifacts=str(settings.state / "artifacts"),
        cache_dir=settings.state / "cache",
        keys_file=settings.keys_file,
    )
