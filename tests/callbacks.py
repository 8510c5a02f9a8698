"""Callbacks that tests name in configurations."""

import os
import signal
from typing import Any

import pytorch_lightning as pl


class Kill(pl.Callback):
    """Kills the process before a step, as a power cut would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Interrupt(pl.Callback):
    """Presses Ctrl-C before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt
