"""Checks of options that need neither data nor a run folder."""

import os
import pydoc
from difflib import get_close_matches
from typing import Any

import torch
from pytorch_lightning.callbacks import BaseFinetuning, SpikeDetection

from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError
from genre.metrics import SCORES
from genre.schedules import require_monitor

#: The values that a fit logs per epoch; a checkpoint can be chosen by any of them.
LOGGED = ("train_loss", "train_accuracy", "val_loss", *(f"val_{name}" for name in SCORES))


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


def check_length(trainer: Any) -> None:
    """Checks that the fit has at least one step."""
    for name in ("max_epochs", "max_steps", "limit_train_batches"):
        if trainer[name] == 0:
            raise GenreError(f"trainer.{name} is 0, which leaves nothing to train; give at least 1")
    if trainer.accumulate_grad_batches < 1:
        batches = trainer.accumulate_grad_batches
        raise GenreError(f"trainer.accumulate_grad_batches: found {batches}; give at least 1, the batches of a step")


def check_report(trainer: Any, verb: str) -> None:
    """Checks that the run has scores to report."""
    limit = "limit_val_batches" if verb == "validate" else "limit_test_batches"
    if trainer[limit] == 0:
        raise GenreError(f"trainer.{limit} is 0, which leaves nothing to score; leave the option out")
    if trainer.barebones:
        raise GenreError(
            "trainer.barebones: Lightning then keeps neither scores nor checkpoints, which a report is made of; "
            "leave the option out"
        )


def check_callbacks(callbacks: Any) -> None:
    """Checks that the callbacks can load the state that they save."""
    classes = [pydoc.locate(str(config.class_path)) for config in as_list(callbacks)]
    if BaseFinetuning in classes:
        raise GenreError("BaseFinetuning does not implement freeze_before_training; give a class derived from it")
    if SpikeDetection in classes and not _loads_its_state():
        raise GenreError(
            "SpikeDetection cannot load the state that it saves, in this release of Lightning: its checkpoints could "
            "neither be tested nor gone on with; leave it out of trainer.callbacks"
        )


def _loads_its_state() -> bool:
    """Whether Lightning's ``SpikeDetection`` can load its own state."""
    try:
        SpikeDetection().load_state_dict(SpikeDetection().state_dict())
    except AttributeError:
        return False
    return True


def check_devices(trainer: Any) -> None:
    """Checks that the requested devices exist."""
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
