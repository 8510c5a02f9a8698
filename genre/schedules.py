"""Learning-rate schedules that need more than an optimizer."""

from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau as TorchReduceLROnPlateau


class ReduceLROnPlateau(TorchReduceLROnPlateau):
    """PyTorch's ``ReduceLROnPlateau``, which is told what to watch; its other arguments are PyTorch's.

    Args:
        optimizer: Whose rate is reduced.
        monitor: The logged value, such as ``val_loss``; ``None``: see :func:`watched`.
        mode: Whether the value is to fall (``min``) or to rise (``max``).
        factor: What the rate is multiplied by.
        patience: Epochs without an improvement that are let pass.
        threshold: The smallest change that counts as an improvement.
        threshold_mode: Whether ``threshold`` is a share of the best value (``rel``) or a difference (``abs``).
        cooldown: Epochs after a reduction in which none are counted.
        min_lr: The smallest rate.
        eps: The smallest change of the rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        monitor: str | None = None,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)
        self.monitor = monitor


def watched(schedule: TorchReduceLROnPlateau) -> str:
    """The logged value that a schedule goes by: its ``monitor``, else ``val_loss``, or ``val_accuracy`` to rise."""
    monitor: str | None = getattr(schedule, "monitor", None)
    return monitor or ("val_accuracy" if schedule.mode == "max" else "val_loss")
