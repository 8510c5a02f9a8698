"""What an error says to the user, where it is the user who can mend it."""

from traceback import walk_tb

from lightning_fabric.utilities.exceptions import MisconfigurationException

from genre.classifier import GenreClassifier
from genre.errors import GenreError


def mendable(error: Exception) -> Exception:
    """The error in one line, if the configuration is at fault; any other error, which is a bug, as it is.

    At fault are a :class:`GenreError`, also one that another error hides, what Lightning calls a misconfiguration,
    what the constructor of a configured class does not accept, and batches of one.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GenreError):
            return cause
        cause = cause.__cause__ or cause.__context__
    line = " ".join(str(error).split())
    kind = _constructed(error)
    if kind is not None and isinstance(error, (ValueError, TypeError, RuntimeError, MisconfigurationException)):
        return GenreError(f"{kind.__name__}: {line}")
    if line.startswith("Expected more than 1 value per channel"):  # torch's batch norm
        return GenreError(f"batch norm cannot be trained on one example at a time; raise data.batch_size ({line})")
    not_logged = line.startswith("Early stopping conditioned on metric")  # a plain RuntimeError
    return GenreError(line) if not_logged or isinstance(error, MisconfigurationException) else error


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
