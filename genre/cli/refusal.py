"""What an error says to the user, where it is the user who can mend it."""

from traceback import walk_tb

from lightning_fabric.utilities.exceptions import MisconfigurationException

from genre.classifier import GenreClassifier
from genre.cli.known_classes import KNOWN
from genre.cli.usage import one_line
from genre.errors import GenreError


def mendable(error: Exception) -> Exception:
    """The error in one line, if the configuration is at fault; any other error, which is a bug, as it is.

    At fault are a :class:`GenreError`, also one that another error hides, what Lightning calls a misconfiguration,
    what the constructor of a configured class does not accept, a package that is not installed, and batches of one.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GenreError):
            return cause
        if isinstance(cause, ImportError) and not str(cause.name).startswith("genre"):
            return _missing(cause)
        cause = cause.__cause__ or cause.__context__
    line = " ".join(str(error).split())
    kind = _constructed(error)
    if kind is not None and isinstance(error, (ValueError, TypeError, RuntimeError, MisconfigurationException)):
        return GenreError(f"{kind.__name__}: {line}")
    last = [frame for frame, _ in walk_tb(error.__traceback__)][-1:]
    if isinstance(error, ValueError) and last and last[0].f_globals.get("__name__", "").startswith("jsonargparse"):
        return GenreError(one_line(str(error), KNOWN))  # one of several classes in a list
    if line.startswith("Expected more than 1 value per channel"):  # torch's batch norm
        return GenreError(f"batch norm cannot be trained on one example at a time; raise data.batch_size ({line})")
    not_logged = line.startswith("Early stopping conditioned on metric")  # a plain RuntimeError
    return GenreError(line) if not_logged or isinstance(error, MisconfigurationException) else error


def _missing(error: ImportError) -> GenreError:
    """What to install: the module that was looked for, or what the class that needs it says."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "__init__"]
    made = [type(frame.f_locals["self"]).__name__ for frame in frames if "self" in frame.f_locals]
    made = [name for name in made if not name.startswith("_")]
    said = " ".join(str(error).split())
    install = f"install {error.name.partition('.')[0]} ({said})" if error.name else said
    return GenreError(f"{made[-1] if made else 'this configuration'} needs a package that is not installed: {install}")


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
