"""Resuming a fit: checks that the checkpoint fits the options, before anything is written.

:meth:`genre.GenreClassifier.require_fitting` checks genres, network, features and tracks; this file checks the rest.

Lightning itself restores the weights, the optimizer, the schedule and the epoch. The crops of an epoch need no state:
:class:`genre.data.loaders.TrainSampler` draws them from the seed and the epoch.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import (
    BatchSizeFinder,
    Callback,
    LearningRateFinder,
    StochasticWeightAveraging,
    WeightAveraging,
)

from genre.classifier import GenreClassifier
from genre.config import show
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError

#: The options that determine the number of steps of a fit, for messages.
LENGTH = (
    "trainer.max_epochs, trainer.max_steps, trainer.accumulate_grad_batches, trainer.limit_train_batches, "
    "data.batch_size and data.crops_per_track"
)


class FitSettings(pl.Callback):
    """Stores in every checkpoint the settings that a resumed fit must keep, and the run's folder.

    The settings concern the optimiser, the schedule, the monitored score and the length. The stored folder allows a run
    that was moved to go on with the files in its present folder.
    """

    def __init__(self, model: Any, checkpoint: Any, folder: Path) -> None:
        self._settings: dict[str, Any] = {
            "folder": str(folder),
            "monitor": None if checkpoint.monitor is None else f"{checkpoint.monitor} (mode {checkpoint.mode})",
            "optimizer": _text(model.optimizer or {"class_path": "torch.optim.AdamW", "init_args": {}}),
            "scheduler": _text(model.scheduler),
            "layer_decay": model.layer_decay,
        }

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return self._settings

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Replaces the old folder of a moved run: callbacks forget the scores of files in another folder."""
        old = checkpoint["callbacks"].get(self.state_key, {}).get("folder")
        if old is not None and old != self._settings["folder"]:
            checkpoint["callbacks"] = _moved(checkpoint["callbacks"], old, self._settings["folder"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stores the batch size that a ``BatchSizeFinder`` has set, and the steps of the fit with it."""
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, GenreDataModule) and (_has(trainer, BatchSizeFinder) or "batch_size" in self._settings):
            self._settings["batch_size"] = data.batch_size
            if "steps" in self._settings:
                self._settings["steps"] = trainer.estimated_stepping_batches

    def take_findings(self, checkpoint: Mapping[str, Any], trainer: pl.Trainer, data: GenreDataModule) -> None:
        """Uses the results of the fit's ``LearningRateFinder`` and ``BatchSizeFinder``, and removes the finders."""
        batch_size = checkpoint.get("callbacks", {}).get(self.state_key, {}).get("batch_size")
        if batch_size is not None and _has(trainer, BatchSizeFinder):
            self._settings["batch_size"] = data.batch_size = int(batch_size)
        # Not their subclasses, which may search at later epochs.
        finders = (LearningRateFinder, BatchSizeFinder)
        kept = [callback for callback in trainer.callbacks if type(callback) not in finders]  # type: ignore[attr-defined]
        trainer.callbacks = kept  # type: ignore[attr-defined]

    def note_length(self, trainer: pl.Trainer, model: GenreClassifier, data: GenreDataModule) -> None:
        """Stores the number of steps of the fit, if the schedule or the averaging depends on it."""
        if model.stretched or _has(trainer, StochasticWeightAveraging):
            self._settings["steps"] = _steps(trainer, data)

    def require_same(self, checkpoint: Mapping[str, Any], trainer: pl.Trainer) -> None:
        """Checks that a fit can go on from a checkpoint."""
        if "optimizer_states" not in checkpoint:
            raise GenreError("the checkpoint holds weights alone, nothing to go on from; give last.ckpt")
        done = {"epochs": int(checkpoint["epoch"]) + 1, "steps": int(checkpoint["global_step"])}
        for unit, limit in (("epochs", trainer.max_epochs), ("steps", trainer.max_steps)):
            if limit not in (None, -1) and done[unit] > int(limit or 0):
                raise GenreError(
                    f"trainer.max_{unit}: found {limit}; the checkpoint has {done[unit]} {unit} behind it; give at "
                    f"least {done[unit]}"
                )
        noted = checkpoint["callbacks"].get(self.state_key, {})
        for name in ("optimizer", "scheduler", "layer_decay"):
            if name in noted and not _agree(noted[name], self._settings[name]):
                raise GenreError(
                    f"model.{name}: found {_shown(self._settings[name])}; the fit was begun with "
                    f"{_shown(noted[name])}, whose state goes on; give that, or begin a new fit"
                )
        if "monitor" in noted and noted["monitor"] != self._settings["monitor"]:
            raise GenreError(
                f"checkpoint.monitor: found {self._settings['monitor']}; the fit was begun with "
                f"{noted['monitor']}, by which its best epoch was chosen; give that, or begin a new fit"
            )
        averaging: dict[type[Callback], bool] = {
            WeightAveraging: "current_model_state" in checkpoint,
            StochasticWeightAveraging: StochasticWeightAveraging.__qualname__ in checkpoint["callbacks"],
        }
        for cls, was_used in averaging.items():
            if was_used and not _has(trainer, cls):  # only the callback restores the weights that are trained
                raise GenreError(
                    f"the fit was begun with {cls.__name__}, which holds a part of its state; give it in "
                    "trainer.callbacks"
                )
        schedules = [state["total_steps"] for state in checkpoint.get("lr_schedulers", ()) if "total_steps" in state]
        begun, ours = noted.get("steps", *schedules[:1]), self._settings.get("steps")
        if ours is not None and begun not in (None, ours):
            raise GenreError(
                f"the learning rate or the averaging of the weights is stretched over the fit: over {begun} steps in "
                f"the checkpoint, over {ours} here; go on with the same {LENGTH}"
            )


def _moved(value: Any, old: str, new: str) -> Any:
    """Replaces the folder ``old`` by ``new`` in all paths of a state."""
    if isinstance(value, dict):
        return {_moved(name, old, new): _moved(item, old, new) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(item, old, new) for item in value)
    is_path = isinstance(value, str) and (value == old or value.startswith(old + os.sep))
    return new + value[len(old) :] if is_path else value


def _has(trainer: pl.Trainer, cls: type[Callback]) -> bool:
    return any(isinstance(callback, cls) for callback in trainer.callbacks)  # type: ignore[attr-defined]


def _steps(trainer: pl.Trainer, data: GenreDataModule) -> float:
    """The value that ``estimated_stepping_batches`` has once the fit has begun."""
    data.trainer = trainer  # tells the loader how many processes share the tracks
    batches = len(data.train_dataloader())
    limit = trainer.limit_train_batches
    batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    epochs = math.inf if trainer.max_epochs in (None, -1) else int(trainer.max_epochs or 0)
    steps = math.ceil(batches / trainer.accumulate_grad_batches) * epochs
    return steps if trainer.max_steps == -1 else min(steps, trainer.max_steps)


def _text(options: Any) -> str | None:
    """A class and its arguments as JSON."""
    if options is None:
        return None
    plain = options if isinstance(options, dict) else options.as_dict()
    return json.dumps(plain, default=str, sort_keys=True)


def _shown(setting: Any) -> str:
    return show({"init_args": {}} | json.loads(setting)) if isinstance(setting, str) else str(setting)


def _agree(theirs: Any, ours: Any) -> bool:
    """Whether two settings agree; arguments that only one of them has do not count, since versions differ."""
    if not (isinstance(theirs, str) and isinstance(ours, str)):
        return bool(theirs == ours)
    one, other = json.loads(theirs), json.loads(ours)
    first, second = one.get("init_args") or {}, other.get("init_args") or {}
    same = all(first[name] == second[name] for name in first.keys() & second.keys())
    return one["class_path"] == other["class_path"] and same
