"""The passwords of NATS's users on this machine; they are made when the stack is first started."""

import json
import secrets
from collections.abc import Mapping

from deploy.local.private_files import write_private
from deploy.local.settings import LocalSettings
from shared.nats_users import OPERATOR, USERS


def made_once(settings: LocalSettings) -> dict[str, str]:
    """The password of each user; users that have none get one."""
    known = _read(settings)
    passwords = {user: known.get(user) or secrets.token_urlsafe(24) for user in USERS}
    if passwords != known:
        write_private(settings.nats_passwords_file, json.dumps(passwords, indent=1) + "\n")
    return passwords


def url(settings: LocalSettings, user: str, passwords: Mapping[str, str]) -> str:
    """Where and as whom a user connects."""
    return f"nats://{user}:{passwords[user]}@127.0.0.1:{settings.nats_port}"


def operator_url(settings: LocalSettings) -> str:
    """The URL for a person, who may read and publish everything; the stack must have been started once."""
    return url(settings, OPERATOR, _read(settings))


def _read(settings: LocalSettings) -> dict[str, str]:
    path = settings.nats_passwords_file
    return json.loads(path.read_text()) if path.exists() else {}
