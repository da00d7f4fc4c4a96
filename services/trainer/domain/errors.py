"""What a job can be refused for before anything is trained."""


class PlanRefused(Exception):
    """A job cannot be planned; `code` is for programs, the text for people."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
