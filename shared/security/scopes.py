"""What a key may do."""

from typing import Literal, get_args

Scope = Literal["admin", "train", "review", "infer", "publish"]
"""`admin` includes the others but `publish`, which allows posting facts in place of the services that own them."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
