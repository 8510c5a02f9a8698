"""The optimizer and the learning-rate schedule of a fit."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import pytorch_lightning as pl
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau as TorchReduceLROnPlateau

from genre.config import factory_class
from genre.errors import GenreError
from genre.finetuning import scale_learning_rates


class ReduceLROnPlateau(TorchReduceLROnPlateau):
    """PyTorch's ``ReduceLROnPlateau`` with the additional argument ``monitor``: the name of the value that it watches.

    Args:
        optimizer: The optimizer whose rate is reduced.
        monitor: The logged value, such as ``val_loss``; ``None``: see :func:`monitored_value`.
        mode: Whether the value is to fall (``min``) or to rise (``max``).
        factor: What the rate is multiplied by.
        patience: Epochs without an improvement before the rate is reduced.
        threshold: The smallest change that counts as an improvement.
        threshold_mode: Whether ``threshold`` is a share of the best value (``rel``) or a difference (``abs``).
        cooldown: Epochs after a reduction that do not count.
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


def monitored_value(schedule: TorchReduceLROnPlateau) -> str:
    """The value that a schedule watches: its ``monitor`` or ``val_loss``, for the mode ``max`` ``val_accuracy``."""
    monitor: str | None = getattr(schedule, "monitor", None)
    return monitor or ("val_accuracy" if schedule.mode == "max" else "val_loss")


def require_monitor(option: str, monitor: str | None, unvalidated: str | None, instead: str = "train_loss") -> None:
    """Raises a :class:`~genre.GenreError` if the value needs a validation subset, and the split has none.

    ``option`` names the value, such as ``EarlyStopping.monitor``; ``unvalidated`` is the name of a split without a
    validation subset, otherwise ``None``; ``instead`` is what the error recommends.
    """
    if unvalidated is not None and monitor is not None and monitor.startswith("val_"):
        raise GenreError(
            f"{option} is {monitor}, and {unvalidated} has no validation subset here; give {instead}, or a split with "
            "a validation subset"
        )


def has_argument(factory: Callable[..., Any] | None, argument: str) -> bool:
    """Whether a class, or the class of a ``functools.partial``, has an argument of this name."""
    return factory is not None and argument in inspect.signature(factory_class(factory)).parameters


def make_optimizer(
    factory: Callable[[Iterable[Any]], Optimizer], groups: list[dict[str, Any]], lr: float | None
) -> Optimizer:
    """Makes an optimizer from parameter groups, see :func:`genre.finetuning.parameter_groups`.

    The groups' ``lr_scale`` scales ``lr`` or, if that is ``None``, the optimizer's own rate.
    """
    try:
        optimizer = factory(groups if lr is None else [group | {"lr": lr} for group in groups])
    except (TypeError, ValueError) as error:
        raise GenreError(f"the optimizer does not accept its arguments: {error}") from None
    scale_learning_rates(optimizer)
    return optimizer


def configure_schedule(
    factory: Callable[..., LRScheduler],
    optimizer: Optimizer,
    steps: float | None,
    lr: float | None,
    validation_epochs: int,
) -> dict[str, Any]:
    """Makes a learning-rate schedule: what ``configure_optimizers`` returns under ``lr_scheduler``.

    ``steps`` are those of the fit, for a schedule that is stretched over it; ``None`` for any other. ``lr`` replaces
    the schedule's ``max_lr``, if it has one. ``validation_epochs`` are the epochs from one validation to the next.
    """
    arguments: dict[str, float] = {}
    if steps is not None:
        if steps == float("inf"):
            name = getattr(factory_class(factory), "__name__", "the scheduler")
            raise GenreError(f"{name} is stretched over the fit: give max_epochs or max_steps; found neither")
        arguments["total_steps"] = int(steps)
    if lr is not None and has_argument(factory, "max_lr"):
        arguments["max_lr"] = lr
    schedule = factory(optimizer, **arguments)
    if arguments:
        scale_learning_rates(optimizer)
    config: dict[str, Any] = {"scheduler": schedule, "interval": "epoch" if steps is None else "step"}
    if isinstance(schedule, TorchReduceLROnPlateau):
        monitor = monitored_value(schedule)
        config |= {"monitor": monitor, "frequency": validation_epochs if monitor.startswith("val_") else 1}
    return config


def remake_optimizers(trainer: pl.Trainer) -> None:
    """Replaces the optimizers and schedules of a running fit by new ones of ``configure_optimizers``.

    Lightning writes the rate of its learning-rate finder into every parameter group, which undoes ``layer_decay``, and
    keeps the length of a schedule when the batch size changes. ``Strategy.setup_optimizers`` is the documented method
    that makes both at the beginning of a fit; ``tests/test_lightning_tools.py`` checks that it can be called again.
    """
    trainer.strategy.setup_optimizers(trainer)


def require_same_optimizer(optimizer: Optimizer, checkpoint: Mapping[str, Any]) -> None:
    """Raises a :class:`~genre.GenreError` if a resumed fit has another optimizer than the one that it was begun with.

    The state of the optimizer in the checkpoint then lacks settings of this one.
    """
    for state in checkpoint.get("optimizer_states", ()):
        missing = set(optimizer.param_groups[0]) - set(state["param_groups"][0])
        if missing:
            raise GenreError(
                f"the checkpoint's optimizer was no {type(optimizer).__name__}: its state has no "
                f"{', '.join(sorted(missing))}; go on with the optimizer that the fit was begun with"
            )
