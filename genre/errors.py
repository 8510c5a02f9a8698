"""The errors that a user can correct. Code tells them apart by class, never by text.

::

    GenreError              what was found, what was expected and what to do, in one line
    ├── AudioError          a file or a recording without usable audio
    │   ├── MissingAudioError   there is no such file
    │   └── EmptyAudioError     the file holds no byte, or no frame
    ├── CheckpointError     a file that is no checkpoint of this library
    ├── UnknownClassError   a checkpoint names a class that the program does not have
    └── SizeError           an input whose size does not suit the network; also a ValueError
"""

from pathlib import Path, PurePath


class GenreError(Exception):
    """An error with one line: what was found, what was expected and what to do. The command line prints only that.

    Example:
        >>> import genre
        >>> try:
        ...     genre.load("missing.ckpt")
        ... except genre.GenreError as error:
        ...     print("missing.ckpt" in str(error))
        True
    """


class AudioError(GenreError):
    """A file or a recording holds no usable audio.

    Args:
        path: The file, or the name of the recording.
        reason: The reason, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{printable(path)}: {reason}")
        self.reason = reason


class MissingAudioError(AudioError):
    """There is no such file."""


class EmptyAudioError(AudioError):
    """The file holds no byte, or no frame of audio."""


class CheckpointError(GenreError):
    """The file is no checkpoint of this library, or cannot be read."""


class UnknownClassError(GenreError):
    """A checkpoint names a class that this program does not have or has not imported."""


class SizeError(GenreError, ValueError):
    """The size of an input does not fit a network."""


def printable(path: PurePath) -> str:
    """A path as printable text: bytes that are not UTF-8, as in old file names, are escaped."""
    return str(path).encode(errors="backslashreplace").decode()


def one_line(error: Exception) -> str:
    """An error's message, without its line breaks."""
    return " ".join(str(error).split())


def describe_error(error: Exception) -> str:
    """The type and the message of another library's error, in one line of limited length."""
    return f"{type(error).__name__}: {one_line(error)[:160]}"
