"""Turns errors that the user can correct into one line; any other error is a bug and keeps its traceback."""

from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping
from torch import nn

from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError, one_line

#: The errors that constructors raise for arguments that they do not accept.
REFUSALS = (ValueError, TypeError, RuntimeError, MisconfigurationException)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Constructor:
    """Instantiates configured classes.

    Attributes:
        refused: The last error. jsonargparse hides it if it then tries other types, as for an item of a list.
    """

    refused: GenreError | None = None

    def __call__(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        """Instantiates a class."""
        try:
            return cls(*args, **kwargs)
        except ImportError as error:
            self.refused = _missing_package(cls.__name__, error)
            raise self.refused from error
        except REFUSALS as error:
            self.refused = GenreError(f"{cls.__name__}: {one_line(error)}")
            raise self.refused from error


class Computing(Callback):
    """Notes that the Trainer has begun to compute; the sanity check does not count."""

    begun = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self.begun = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self.begun = True

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self.begun = False

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self.begun = True


def user_error(error: Exception) -> Exception:
    """Returns the error in one line if the user can correct it; any other error unchanged.

    The user can correct a :class:`~genre.GenreError` (also as the cause of another error), Lightning's
    ``MisconfigurationException``, and a package that is not installed.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, GenreError):
            return cause
        if isinstance(cause, ImportError) and not (cause.name or "").startswith("genre"):
            return _missing_package("this configuration", cause)
        cause = cause.__cause__ or cause.__context__
    return GenreError(one_line(error)) if isinstance(error, MisconfigurationException) else error


def fit_error(error: Exception, trainer: pl.Trainer, data: GenreDataModule, *, computing: bool) -> Exception:
    """Returns an error of Lightning or torch in one line if the state of the fit explains it; any other unchanged.

    Args:
        error: The error that ``Trainer.fit``, ``validate`` or ``test`` has raised.
        trainer: The Trainer.
        data: The DataModule.
        computing: Whether the Trainer has begun to compute. A ``ValueError`` before that is about the options.
    """
    if isinstance(error, GenreError):
        return error
    line = one_line(error)
    if isinstance(error, ValueError) and not computing:
        return GenreError(line)
    modules = trainer.lightning_module.modules() if data.batch_size == 1 else ()
    if isinstance(error, ValueError) and any(isinstance(module, BATCH_NORMS) for module in modules):
        return GenreError(f"batch norm cannot be trained on one example at a time; raise data.batch_size ({line})")
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.monitor not in trainer.callback_metrics:
            logged = ", ".join(sorted(trainer.callback_metrics))
            return GenreError(f"EarlyStopping.monitor: found {callback.monitor}; the fit has logged {logged}")
    return error


def _missing_package(who: str, error: ImportError) -> GenreError:
    line = one_line(error)
    install = f"install {error.name.partition('.')[0]} ({line})" if error.name else line
    return GenreError(f"{who} needs a package that is not installed: {install}")
