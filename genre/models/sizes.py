"""Checks of the size of a network's input."""

from collections.abc import Sequence

from torch import nn

from genre.errors import SizeError as SizeError  # the name is part of this module, too


def need_channels(model: nn.Module, found: int, channels: int = 1) -> None:
    """Raises unless an input has as many channels as a model was built for.

    Args:
        model: The model, for its name.
        found: Channels of the input, ``x.shape[1]``.
        channels: Channels of the model.

    Raises:
        SizeError: If ``found`` differs.
    """
    if found != channels:
        raise SizeError(
            f"{type(model).__name__} takes inputs of {channels} channel{'s' if channels > 1 else ''}: found {found}; "
            "use a feature to fit (one channel; three with picture), or a network that has in_channels"
        )


def need_exactly(model: nn.Module, found: Sequence[int], bands: int | None = None, frames: int | None = None) -> None:
    """Raises unless an input has the size that a model was built for.

    Args:
        model: The model, for its name.
        found: Bands and frames of the input, ``x.shape[-2:]``.
        bands: Needed bands, ``None`` if any number will do.
        frames: Needed frames, ``None`` if any number will do.

    Raises:
        SizeError: If ``found`` differs from what is needed.
    """
    if bands not in (None, found[0]) or frames not in (None, found[1]):
        needed = f"{bands} bands" + ("" if frames is None else f" by {frames} frames")
        fitting = f"bands: {found[0]}" + ("" if frames is None else f", frames: {found[1]}")
        raise SizeError(
            f"{type(model).__name__} is built for {needed}: found {found[0]} bands by {found[1]} frames; "
            f"change the feature or the segments to fit, or build the model with {fitting}"
        )


def need_at_least(
    model: nn.Module, found: Sequence[int], bands: int = 1, frames: int = 1, instead: str | None = None
) -> None:
    """Raises unless a model's convolutions and pools leave something of an input.

    Args:
        model: The model, for its name.
        found: Bands and frames of the input, ``x.shape[-2:]``.
        bands: Smallest number of bands.
        frames: Smallest number of frames.
        instead: What else the model can be built with, so that less is enough.

    Raises:
        SizeError: If ``found`` is smaller.
    """
    if found[0] < bands or found[1] < frames:
        needed = f"{frames} frames" if bands == 1 else f"{bands} bands by {frames} frames"
        raise SizeError(
            f"{type(model).__name__} needs at least {needed}: found {found[0]} bands by {found[1]} frames; "
            "use longer segments or a feature with more bands"
            + (f", or build the model with {instead}" if instead else "")
        )
