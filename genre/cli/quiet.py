"""Hides messages of other libraries that do not help a user of the command line, and states the reason for each."""

import logging
import warnings

#: Loggers whose messages below the level of a warning are hidden.
LOGGERS = {
    "lightning_fabric.utilities.seed": "the seed: config.yaml holds it",
    "pytorch_lightning.utilities.rank_zero": "devices, advertisements, and the end of the fit: the report holds them",
    "pytorch_lightning.trainer.connectors.checkpoint_connector": "weights_only: the command line sets it to true",
}

#: Loggers whose warnings are also hidden.
WARNERS = {
    "torch.utils.cpp_extension": "no CUDA compiler: nothing here is compiled with it",
    "torch.utils.flop_counter": "operators without a count of their operations: nothing here counts them",
}

#: Hidden warnings, by the beginning of their text.
WARNINGS = {
    "Experiment logs directory": "the run's folder is made before its log, so that no two fits share it",
    "Checkpoint directory": "a resumed fit goes on in its own folder",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated": "torch says this to Lightning",
    "Be aware that when using `ckpt_path`, callbacks": "validate and test need no callbacks of the fit",
    r"`ModelCheckpoint\(monitor=": "an epoch without validation has no score, and is not kept by it",
    r"Found \d+ module\(s\) in eval mode": "a frozen backbone is in eval mode on purpose",
    "The '[a-z_]*dataloader' does not have many workers": "data.num_workers is an option",
    "The number of training batches": "the log holds every step",
    "The `srun` command is available": "a fit on one node needs no srun",
    "Detected call of `lr_scheduler.step": "with mixed precision the first step may be skipped",
    "The `LightningModule.configure_optimizers": "every schedule is made by genre.optimization",
    "It is recommended to use `self.log": "the metrics of this library are summed over processes by themselves",
    "Using `DistributedSampler` with the dataloaders": "repeated tracks are scored once",
    "Trying to infer the `batch_size`": "the batch size is that of the first tensor",
}


def quiet() -> None:
    """Hides these messages in the current process."""
    for names, level in ((LOGGERS, logging.WARNING), (WARNERS, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(level)
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message)
