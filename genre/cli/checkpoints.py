"""The checkpoints of a fit: the report describes ``best.ckpt``; a resumed fit goes on from ``last.ckpt``."""

import math
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from genre.checkpoint import read_checkpoint
from genre.errors import GenreError

Weights = dict[str, Tensor]


class BestCheckpoint(Checkpoint):
    """Keeps the best epoch as ``best.ckpt`` and the newest as ``last.ckpt``, in ``checkpoints/`` beside the log.

    ``best.ckpt`` holds the weights that were scored, even if a callback changes the weights between the validation and
    the end of the epoch. The state of this callback names no path, so a run's folder may be moved or renamed.

    Args:
        monitor: The logged metric that selects the best epoch; ``None``: the newest epoch is the best.
        mode: Whether a small (``min``) or a large (``max``) metric is better.
        every_n_epochs: Only every n-th epoch is a candidate.

    Attributes:
        best_model_score: The metric of the best epoch, which loggers record; ``None`` before there is one.
        epoch: The best epoch.
        unscored: Whether no epoch has scored the final weights, such as an average over several epochs.
    """

    def __init__(self, monitor: str | None, mode: str, every_n_epochs: int) -> None:
        self.monitor, self.mode, self.every_n_epochs = monitor, mode, every_n_epochs
        self.save_top_k = 1  # loggers read this attribute of a checkpoint callback
        self.best_model_score: float | None = None
        self.epoch: int | None = None
        self.unscored = False
        self.best = self.last = Path()  # the paths of both files
        self._epochs: int | None = None  # the fit's max_epochs at its start
        self._scored: Weights | None = None  # the weights of the last validation
        self._replacement: Weights | None = None  # goes into a checkpoint in place of the present weights

    @property
    def best_model_path(self) -> str:
        """The path that ``Trainer.test(ckpt_path="best")`` loads."""
        return str(self.best) if self.best.is_file() else ""

    def state_dict(self) -> dict[str, Any]:
        """Returns the best epoch so far and its score."""
        return {"score": self.best_model_score, "epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best epoch of an interrupted fit."""
        self.best_model_score, self.epoch = state_dict["score"], state_dict["epoch"]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: D102
        folder = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints"
        self.best, self.last = folder / "best.ckpt", folder / "last.ckpt"
        self._epochs = trainer.max_epochs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Looks for the best checkpoint of a resumed fit."""
        if trainer.ckpt_path is not None:
            if trainer.is_global_zero:
                self._take_over(Path(trainer.ckpt_path))
            self.best_model_score, self.epoch = trainer.strategy.broadcast((self.best_model_score, self.epoch))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._scored = None

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copies the weights that are scored: averaging callbacks have replaced them by now."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._scored = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves the epoch as the newest and, if its score is the best, as the best."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        score = self._value(trainer)
        candidate = (trainer.current_epoch + 1) % self.every_n_epochs == 0
        # The first process decides for all: a metric may differ between processes.
        better = trainer.strategy.broadcast(candidate and score is not None and self._is_better(score))
        if better:
            self.best_model_score, self.epoch = score, trainer.current_epoch
        # last.ckpt comes first: if the program is killed, the best epoch that last.ckpt names is in one of the files.
        # Weight averaging appends an epoch beyond max_epochs to update batch norm; no fit can go on from it.
        if self._epochs in (None, -1) or trainer.current_epoch < int(self._epochs or 0):
            self._save(trainer, self.last)
        if better:
            from_training = self.monitor is None or self.monitor.startswith("train_")
            self._replacement = None if from_training else self._scored
            self._save(trainer, self.best)
            self._replacement = None
            if trainer.is_global_zero:
                for logger in trainer.loggers:  # a logger may upload it
                    logger.after_save_checkpoint(self)  # type: ignore[arg-type]  # it has what loggers read

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Puts the scored weights into ``best.ckpt``; callbacks that change weights run before this one."""
        weights = self._replacement
        if weights is not None and weights.keys() == checkpoint["state_dict"].keys():
            checkpoint["state_dict"] = weights

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes whether the final weights are scored; if there is no best epoch, copies the last one."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.is_global_zero and self.last.is_file():
            weights = pl_module.state_dict()
            saved: Weights = read_checkpoint(self.last)["state_dict"]
            self.unscored = not _same(weights, saved) and not _same(weights, self._scored)
            if self.epoch is None and not self.best.is_file():
                _copy(self.last, self.best)
        self.unscored = trainer.strategy.broadcast(self.unscored)
        self._scored = None

    def offer(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves weights that were scored after the fit as ``best.ckpt``, if their score is the best."""
        score = self._value(trainer)
        if trainer.is_global_zero and score is not None and self._is_better(score):
            self.best_model_score, self.epoch = score, trainer.current_epoch
            checkpoint = read_checkpoint(self.last)
            checkpoint["state_dict"], checkpoint["epoch"] = pl_module.state_dict(), self.epoch
            checkpoint["callbacks"][self.state_key] = self.state_dict()
            pl_module.on_save_checkpoint(checkpoint)  # the calibration of these weights
            torch.save(checkpoint, _part(self.best))
            _part(self.best).replace(self.best)
        trainer.strategy.barrier()

    def _value(self, trainer: pl.Trainer) -> float | None:
        """The epoch's score; ``None`` if it has none."""
        if self.monitor is None:
            return float(trainer.current_epoch)
        value = trainer.callback_metrics.get(self.monitor)
        if value is not None:
            return float(value)
        if self._scored is not None:
            logged = ", ".join(sorted(trainer.callback_metrics))
            raise GenreError(
                f"checkpoint.monitor: found {self.monitor}; the fit has logged {logged}; choose one of these"
            )
        return None

    def _is_better(self, score: float) -> bool:
        best = self.best_model_score
        if best is None:
            return True
        if math.isnan(best):
            return not math.isnan(score)
        return score > best if self.monitor is None or self.mode == "max" else score < best

    def _save(self, trainer: pl.Trainer, path: Path) -> None:
        trainer.save_checkpoint(_part(path))
        if trainer.is_global_zero:
            _part(path).replace(path)
        trainer.strategy.barrier()

    def _take_over(self, resumed: Path) -> None:
        """Copies the best epoch's file into this run; if the file is lost, forgets the epoch and its score."""
        if self.epoch is None:
            return
        for path in (self.best, resumed.with_name("best.ckpt"), resumed):
            with suppress(GenreError):  # the file is missing or damaged
                checkpoint = read_checkpoint(path)
                state = checkpoint.get("callbacks", {}).get(self.state_key)
                if checkpoint["epoch"] == self.epoch and state == self.state_dict():
                    if path != self.best:
                        _copy(path, self.best)
                    return
        self.best_model_score = self.epoch = None


#: The names of the files that every fit keeps.
OWN = ("best", "last")


class KeptCheckpoints(ModelCheckpoint):
    """Keeps further epochs or steps, as the options of ``--checkpoint`` ask.

    A separate class: its state has another key than that of a user's ``ModelCheckpoint`` with the same settings.
    """


def complete_options(checkpoint: Any) -> None:
    """Gives every file that ``--checkpoint`` keeps a distinct name."""
    checkpoint.save_last = None  # BestCheckpoint writes last.ckpt
    if checkpoint.filename in OWN:
        checkpoint.filename = None
    name, by_step = checkpoint.filename, checkpoint.every_n_train_steps or checkpoint.train_time_interval
    unique = name is None or "{step" in name or ("{epoch" in name and not by_step)
    if checkpoint.save_top_k not in (0, 1) and not unique:
        checkpoint.filename = f"{name}-{{epoch}}-{{step}}"  # the suffix is Lightning's default name


def wants_files(checkpoint: Any) -> bool:
    """Whether the options ask for more than ``best.ckpt`` and ``last.ckpt``."""
    asked = ("filename", "dirpath", "every_n_train_steps", "train_time_interval", "save_on_exception")
    return checkpoint.save_top_k not in (0, 1) or any(checkpoint[name] for name in asked)


def check_names(callbacks: Iterable[Callback]) -> None:
    """Checks that no other callback writes ``best.ckpt`` or ``last.ckpt``."""
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None and callback.filename in OWN:
            raise GenreError(
                f"{type(callback).__name__} in trainer.callbacks has the filename {callback.filename}, which is that "
                f"of a checkpoint that every fit keeps; choose another, or leave the callback out"
            )


def _same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor] | None) -> bool:
    if theirs is None or ours.keys() != theirs.keys():
        return False
    return all(torch.equal(value, theirs[name].to(value.device)) for name, value in ours.items())


def _part(path: Path) -> Path:
    """The temporary path of a file, which is renamed once it is complete."""
    return path.with_name(f".{path.name}.part")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, _part(target))
    _part(target).replace(target)
