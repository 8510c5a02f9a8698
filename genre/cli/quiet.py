"""Hides messages of other libraries that do not help a user of the command line, and states the reason for each.

A logger has a name, and a warning has a category and a module that gives it. Nothing here depends on a message's text.
"""

import logging
import warnings

from lightning_fabric.utilities.warnings import PossibleUserWarning

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

#: Hidden warnings, by the module that gives them and by category.
WARNINGS: dict[tuple[str, type[Warning]], str] = {
    ("lightning_fabric.loggers.csv_logs", UserWarning): (
        "the run's folder is made before its log, so no two fits share it"
    ),
    ("lightning_fabric.plugins.environments.slurm", PossibleUserWarning): "a fit on one node needs no srun",
    ("pytorch_lightning.callbacks.model_checkpoint", UserWarning): (
        "a resumed fit goes on in its own folder; an epoch without validation has no score, and is not kept by it"
    ),
    ("pytorch_lightning.loops.fit_loop", PossibleUserWarning): (
        "a frozen backbone is in eval mode on purpose; the log holds every step"
    ),
    ("pytorch_lightning.trainer.call", UserWarning): "validate and test need no callbacks of the fit",
    ("pytorch_lightning.trainer.connectors.data_connector", PossibleUserWarning): (
        "data.num_workers is an option; tracks that several processes repeat are scored once"
    ),
    ("pytorch_lightning.trainer.connectors.logger_connector.result", PossibleUserWarning): (
        "the metrics of this library are summed over processes by themselves"
    ),
    ("pytorch_lightning.utilities", FutureWarning): "torch tells Lightning that a class of its own has a successor",
    ("pytorch_lightning.utilities.data", UserWarning): "the batch size is that of the first tensor",
    ("torch.optim.lr_scheduler", UserWarning): "with mixed precision the first step may be skipped",
}


def quiet() -> None:
    """Hides these messages in the current process."""
    for names, level in ((LOGGERS, logging.WARNING), (WARNERS, logging.ERROR)):
        for name in names:
            logging.getLogger(name).setLevel(level)
    for module, category in WARNINGS:
        warnings.filterwarnings("ignore", category=category, module=rf"{module}\b")
