"""What an error says to the user, where it is the user who can mend it."""

from traceback import walk_tb

from lightning_fabric.utilities.exceptions import MisconfigurationException

from genre.classifier import GenreClassifier
from genre.cli.error_messages import configured_class, one_line
from genre.cli.known_classes import KNOWN
from genre.errors import GenreError


def user_error(error: Exception) -> Exception:
    """The error in one line, if the configuration is at fault; any other error, which is a bug, as it is.

    At fault are a :class:`GenreError`, also one that another error hides, what Lightning calls a misconfiguration,
    what the constructor of a configured class does not accept, options that Lightning cannot use together, a package
    that is not installed, and batches of one. An import that fails in this library's own code is a bug.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GenreError):
            return cause
        if isinstance(cause, ImportError) and not _raised_by("genre", cause):
            return _missing(cause)
        cause = cause.__cause__ or cause.__context__
    line = " ".join(str(error).split())
    kind = _constructed(error)
    if kind is not None and isinstance(error, (ValueError, TypeError, RuntimeError, MisconfigurationException)):
        return GenreError(f"{kind.__name__}: {line}")
    if isinstance(error, ValueError) and _raised_by("jsonargparse", error):  # one of several classes in a list
        made = configured_class(str(error))
        said = one_line(str(error), KNOWN)
        return GenreError(f"{made}: {said}" if made else said)
    if isinstance(error, ValueError) and _raised_by("pytorch_lightning", error):
        return GenreError(line)
    if isinstance(error, NotImplementedError) and not _raised_by("genre", error):
        *_, (frame, _) = walk_tb(error.__traceback__)
        made = type(frame.f_locals.get("self")).__name__
        return GenreError(f"{made} does not implement {frame.f_code.co_name}; give a class derived from it")
    if line.startswith("Expected more than 1 value per channel"):  # torch's batch norm
        return GenreError(f"batch norm cannot be trained on one example at a time; raise data.batch_size ({line})")
    not_logged = line.startswith("Early stopping conditioned on metric")  # a plain RuntimeError
    return GenreError(line) if not_logged or isinstance(error, MisconfigurationException) else error


def _missing(error: ImportError) -> GenreError:
    """What to install: the module that was looked for, or what the class that needs it says."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    made = [type(frame.f_locals["self"]).__name__ for frame in frames if "self" in frame.f_locals]
    made = [name for name in made if not name.startswith("_")]
    said = " ".join(str(error).split())
    install = f"install {error.name.partition('.')[0]} ({said})" if error.name else said
    return GenreError(f"{made[-1] if made else 'this configuration'} needs a package that is not installed: {install}")


def _raised_by(package: str, error: BaseException) -> bool:
    """Whether the code that raised an error is of a package."""
    names = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    return bool(names) and names[-1].partition(".")[0] == package


def _constructed(error: Exception) -> type | None:
    """The configured class whose constructor raised; ``None`` if the error came from elsewhere."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    names = [frame.f_code.co_name for frame in frames]
    if "instantiate_classes" not in names:
        return None
    begun = frames[names.index("instantiate_classes") :]
    made = [type(frame.f_locals.get("self")) for frame in begun if frame.f_code.co_name == "__init__"]
    # The classifier calls the constructor of the network, which is the one that the user chose.
    return next((kind for kind in made if kind is not GenreClassifier), GenreClassifier if made else None)
