"""What a key may do."""

from typing import Literal, get_args

Scope = Literal["admin", "train", "review", "infer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
