"""The error that a user can mend."""


class GenreError(Exception):
    """What was found, what was expected and what to do, in one line; the command line prints it alone."""
