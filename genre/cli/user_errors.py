"""What the user of ``genre fit`` reads if something is wrong: one line per error.

An error that the user cannot correct is a bug and keeps its traceback. Nothing here depends on a message's text.
"""

import os
import pydoc
from difflib import get_close_matches
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import BaseFinetuning, Callback, EarlyStopping, SpikeDetection
from torch import nn

from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError, one_line
from genre.metrics import SCORES
from genre.schedules import require_monitor

#: The values that a fit logs per epoch; a checkpoint can be chosen by any of them.
LOGGED = ("train_loss", "train_accuracy", "val_loss", *(f"val_{name}" for name in SCORES))

#: The errors that constructors raise for arguments that they do not accept.
REFUSALS = (ValueError, TypeError, RuntimeError, MisconfigurationException)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def as_list(given: Any) -> list[Any]:
    """The items of an option that takes one of them, a list, or ``None``."""
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]


def check_monitor(options: Any) -> None:
    """Checks that the value that selects the best checkpoint is logged."""
    monitor = options.checkpoint.monitor
    if monitor is None or monitor in LOGGED or options.trainer.callbacks:  # a callback may log it
        return
    close = [name for name in LOGGED if name.startswith(monitor)] or get_close_matches(monitor, LOGGED, n=1)
    hint = f"did you mean {close[0]}?" if close else "choose one of these"
    raise GenreError(f"checkpoint.monitor: found {monitor}; a fit logs {', '.join(LOGGED)}; {hint}")


def check_seed(seed: int | bool) -> None:
    """Checks that NumPy takes the seed; ``true`` and ``false`` stand for a seed of Lightning's, and none."""
    if not isinstance(seed, bool) and not 0 <= seed < 2**32:
        raise GenreError(f"seed_everything: found {seed}; give a whole number from 0 to {2**32 - 1}")


def check_validation(options: Any, data: GenreDataModule) -> None:
    """Checks that nothing monitors a validation score if the split has no validation subset."""
    unvalidated = None if data.partition["validation"] else type(data.split).__name__
    if options.trainer.enable_checkpointing is not False:
        last = "checkpoint.monitor: null, which scores the last epoch"
        require_monitor("checkpoint.monitor", options.checkpoint.monitor, unvalidated, last)
    configs = {"model.scheduler": options.model.scheduler}
    configs |= {str(config.class_path).rpartition(".")[2]: config for config in as_list(options.trainer.callbacks)}
    for name, config in configs.items():
        arguments = (config.get("init_args") if config else None) or {}
        require_monitor(f"{name}.monitor", arguments.get("monitor"), unvalidated)


def check_fit(trainer: Any) -> None:
    """Checks that the fit has at least one step, and that its callbacks can load the state that they save."""
    for name in ("max_epochs", "max_steps", "limit_train_batches"):
        if trainer[name] == 0:
            raise GenreError(f"trainer.{name} is 0, which leaves nothing to train; give at least 1")
    if trainer.accumulate_grad_batches < 1:
        batches = trainer.accumulate_grad_batches
        raise GenreError(f"trainer.accumulate_grad_batches: found {batches}; give at least 1, the batches of a step")
    classes = [pydoc.locate(str(config.class_path)) for config in as_list(trainer.callbacks)]
    if BaseFinetuning in classes:
        raise GenreError("BaseFinetuning does not implement freeze_before_training; give a class derived from it")
    if SpikeDetection in classes:
        try:
            SpikeDetection().load_state_dict(SpikeDetection().state_dict())
        except AttributeError:
            raise GenreError(
                "SpikeDetection cannot load the state that it saves, in this release of Lightning: its checkpoints "
                "could neither be tested nor gone on with; leave it out of trainer.callbacks"
            ) from None


def check_trainer(trainer: Any, verb: str) -> None:
    """Checks that the run has scores to report, and that the requested devices exist."""
    limit = "limit_val_batches" if verb == "validate" else "limit_test_batches"
    if trainer[limit] == 0:
        raise GenreError(f"trainer.{limit} is 0, which leaves nothing to score; leave the option out")
    if trainer.barebones:
        raise GenreError(
            "trainer.barebones: Lightning then keeps neither scores nor checkpoints, which a report is made of; "
            "leave the option out"
        )
    accelerator = trainer.accelerator
    on_gpu = torch.accelerator.is_available()
    if accelerator in ("gpu", "cuda", "mps") and not on_gpu:
        raise GenreError(f"trainer.accelerator: found {accelerator}, and no GPU; leave the option out, or choose cpu")
    cores = os.cpu_count() or 1
    processes = int(trainer.devices) if str(trainer.devices).isdecimal() else 1
    if processes > cores and (accelerator == "cpu" or (accelerator == "auto" and not on_gpu)):
        raise GenreError(
            f"trainer.devices: found {processes} processes for {cores} processor core(s); leave the option out, or "
            f"choose at most {cores}"
        )


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

    on_validation_start = on_test_start = on_train_start

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self.begun = False


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
    """Returns an error of the Trainer in one line if the state of the fit explains it; any other unchanged.

    ``computing`` tells whether the Trainer has begun to compute: a ``ValueError`` before that is about the options.
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
