"""API keys: random secrets of which only the SHA-256 is stored, each with scopes.

`python -m shared.security create --name NAME --scope SCOPE` makes one.
"""

from shared.security.key import Key, NotAllowed, digest_of, new_key, new_secret, require
from shared.security.keyring import Keyring, NotAuthenticated
from shared.security.scopes import SCOPES, Scope

__all__ = [
    "SCOPES",
    "Key",
    "Keyring",
    "NotAllowed",
    "NotAuthenticated",
    "Scope",
    "digest_of",
    "new_key",
    "new_secret",
    "require",
]
