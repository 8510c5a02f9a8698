"""The optimizer and the learning-rate schedule of a fit."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genre.config import target
from genre.errors import GenreError
from genre.finetuning import scale_learning_rates


def takes(factory: Callable[..., Any] | None, argument: str) -> bool:
    """Whether a class, or the class of a ``functools.partial``, has an argument of that name."""
    return factory is not None and argument in inspect.signature(target(factory)).parameters


def make_optimizer(
    factory: Callable[[Iterable[Any]], Optimizer], groups: list[dict[str, Any]], lr: float | None
) -> Optimizer:
    """Makes an optimizer.

    Args:
        factory: Makes it from parameter groups.
        groups: The parameter groups, see :func:`genre.finetuning.parameter_groups`.
        lr: The learning rate; ``None``: the optimizer's own. The groups' ``lr_scale`` scales it.

    Raises:
        GenreError: The optimizer does not accept its arguments.
    """
    try:
        optimizer = factory(groups if lr is None else [group | {"lr": lr} for group in groups])
    except (TypeError, ValueError) as error:
        raise GenreError(f"the optimizer does not accept its arguments: {error}") from None
    scale_learning_rates(optimizer)
    return optimizer


def make_schedule(
    factory: Callable[..., LRScheduler], optimizer: Optimizer, steps: float | None, lr: float | None
) -> LRScheduler:
    """Makes a learning-rate schedule.

    Args:
        factory: Makes it from the optimizer.
        optimizer: Whose rate it sets.
        steps: The steps of the fit, for a schedule that is stretched over it; ``None`` for any other.
        lr: The learning rate in place of the schedule's ``max_lr``, if it has one; ``None``: its own.

    Raises:
        GenreError: The fit has no end that the schedule could be stretched to.
    """
    arguments: dict[str, float] = {}
    if steps is not None:
        if steps == float("inf"):
            name = getattr(target(factory), "__name__", "the scheduler")
            raise GenreError(f"{name} is stretched over the fit: give max_epochs or max_steps; found neither")
        arguments["total_steps"] = int(steps)
    if lr is not None and takes(factory, "max_lr"):
        arguments["max_lr"] = lr
    schedule = factory(optimizer, **arguments)
    if arguments:
        scale_learning_rates(optimizer)
    return schedule


def require_same_optimizer(optimizer: Optimizer, checkpoint: Mapping[str, Any]) -> None:
    """Checks that a fit that goes on from a checkpoint has the optimizer that it was begun with.

    Raises:
        GenreError: The optimizer has other settings.
    """
    for state in checkpoint.get("optimizer_states", ()):
        missing = set(optimizer.param_groups[0]) - set(state["param_groups"][0])
        if missing:
            raise GenreError(
                f"the checkpoint's optimizer was no {type(optimizer).__name__}: its state has no "
                f"{', '.join(sorted(missing))}; go on with the optimizer that the fit was begun with"
            )
