"""The classes that an option takes: for its help, and for a hint where one is misspelt."""

from types import ModuleType

import torch
from pytorch_lightning import Callback, callbacks, loggers
from torch import nn
from torch.optim import Optimizer, lr_scheduler

import genre.data
import genre.models
from genre.data import Feature, GenreDataModule, Split


def _paths(module: ModuleType, base: type) -> list[str]:
    """The public classes of a module that derive from ``base``, by their full names."""
    return [
        f"{module.__name__}.{name}"
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not name.startswith("_")
    ]


#: Lightning's loggers that its own Trainer does not take, and the packages that they are made for.
FOREIGN_LOGGERS = {
    name: value.__module__.rpartition(".")[2]
    for name, value in vars(loggers).items()
    if isinstance(value, type) and not issubclass(value, loggers.Logger)
}

#: By the last part of an option's name. This library's ReduceLROnPlateau, unlike torch's, can be told what to watch.
KNOWN = {
    "data": _paths(genre.data, GenreDataModule),
    "features": _paths(genre.data, Feature),
    "split": _paths(genre.data, Split),
    "network": _paths(genre.models, nn.Module),
    "optimizer": _paths(torch.optim, Optimizer),
    "scheduler": [
        *(path for path in _paths(lr_scheduler, lr_scheduler.LRScheduler) if not path.endswith("ReduceLROnPlateau")),
        "genre.schedules.ReduceLROnPlateau",
    ],
    "callbacks": ["genre.LinearProbe", "genre.GradualUnfreezing", *_paths(callbacks, Callback)],
    "logger": _paths(loggers, loggers.Logger),
}
