"""The checkpoints that a user asks for beside ``best.ckpt`` and ``last.ckpt``: the options ``--checkpoint``."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from genre.errors import GenreError

#: The files that every fit keeps.
OWN = ("best", "last")


class KeptCheckpoints(ModelCheckpoint):
    """Keeps epochs or steps under names of their own, as ``--checkpoint`` asks.

    A class of its own tells its state from that of a ``ModelCheckpoint`` with the same settings among the callbacks.
    """


def complete_options(checkpoint: Any) -> None:
    """Gives every file that ``--checkpoint`` keeps a name of its own.

    Args:
        checkpoint: The options of :class:`KeptCheckpoints`, which are changed.
    """
    checkpoint.save_last = None  # last.ckpt is there anyway
    if checkpoint.filename in OWN:
        checkpoint.filename = None
    name, by_step = checkpoint.filename, checkpoint.every_n_train_steps or checkpoint.train_time_interval
    unique = name is None or "{step" in name or ("{epoch" in name and not by_step)
    if checkpoint.save_top_k not in (0, 1) and not unique:
        checkpoint.filename = f"{name}-{{epoch}}-{{step}}"  # Lightning's own default follows


def wants_files(checkpoint: Any) -> bool:
    """Whether the options ask for more than ``best.ckpt`` and ``last.ckpt``."""
    asked = ("filename", "dirpath", "every_n_train_steps", "train_time_interval", "save_on_exception")
    return checkpoint.save_top_k not in (0, 1) or any(checkpoint[name] for name in asked)


def check_names(callbacks: Iterable[Callback]) -> None:
    """Checks that no other callback writes ``best.ckpt`` or ``last.ckpt``.

    Raises:
        GenreError: One has such a file name.
    """
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None and callback.filename in OWN:
            raise GenreError(
                f"{type(callback).__name__} in trainer.callbacks has the filename {callback.filename}, which is that "
                f"of a checkpoint that every fit keeps; choose another, or leave the callback out"
            )
