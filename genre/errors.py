"""The error that a user can mend."""

from pathlib import PurePath


class GenreError(Exception):
    """What was found, what was expected and what to do, in one line; the command line prints it alone."""


def printable(path: PurePath) -> str:
    """A path as text that can be printed: what is not UTF-8 in it, as in an old catalogue's names, is escaped."""
    return str(path).encode(errors="backslashreplace").decode()
