"""Why a suite is not saved, read or changed."""


class SuiteRefused(Exception):
    """A suite is invalid; the message says which task and why."""


class TooManySuites(SuiteRefused):
    """The author has as many suites as the key allows."""


class SuiteNotFound(Exception):
    """The suite does not exist, or the key may not read it."""


class SuiteNotOwned(Exception):
    """Only the owner of a suite and admins may change it."""


class SuiteChanged(Exception):
    """Somebody else has saved or deleted the suite since it was read."""
