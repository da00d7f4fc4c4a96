"""Why a file cannot be read as a whole."""


class FileRefused(Exception):
    """A file that is wrong as a whole. `code` is for machines, `fix` says what to do."""

    def __init__(self, code: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.fix = fix
