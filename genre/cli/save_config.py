"""Saving a run's configuration: not before the run begins, since it may be one that goes on and is refused."""

import pytorch_lightning as pl
from pytorch_lightning.cli import SaveConfigCallback


class SaveConfig(SaveConfigCallback):
    """Saves the configuration once all that a checkpoint holds, the optimiser's state included, was found to fit."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Nothing: the checkpoint has not been read."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        super().setup(trainer, pl_module, "fit")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        super().setup(trainer, pl_module, "test")
