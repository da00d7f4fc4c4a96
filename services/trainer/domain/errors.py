"""Errors of the trainer's domain."""


class PlanRefused(Exception):
    """A job cannot be planned. `code` is for programs, the text for people, `param` names the wrong field."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
