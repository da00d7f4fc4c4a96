"""Why nothing is collected."""


class CollectionRefused(Exception):
    """It cannot be known what is named; the message says why, and what to do."""
