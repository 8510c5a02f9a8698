"""Augmentation for training, in batches on the device: modules that draw from torch's random generator.

The DataModule seeds the generator from the batch before it calls them, so the random numbers depend only on the run's
seed and the step. Any module with the same shapes can replace them. Filters, echo and reverberation are in
:mod:`genre.audio.effects`, the pitch shift is in :mod:`genre.audio.pitch_shift`.
"""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor, nn

from genre.errors import GenreError


class PerClip(nn.Module, ABC):
    """Base class of the effects: changes each clip with a probability, and returns the others unchanged at no cost.

    Args:
        probability: The share of clips that are changed.

    Raises:
        GenreError: The probability, or a range of a subclass, is out of bounds.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__()
        check_range("probability", probability, probability, 0, 1)
        self.probability = probability

    @abstractmethod
    def change(self, waveform: Tensor) -> Tensor:
        """Changes the drawn clips ``(drawn, 1, samples)``, at least one, each with its own random numbers."""

    def forward(self, waveform: Tensor) -> Tensor:
        """``(B, 1, samples)`` to the same shape."""
        drawn = torch.rand(len(waveform), device=waveform.device) < self.probability
        places = drawn.nonzero().squeeze(1)
        if not len(places):
            return waveform
        with torch.autocast(waveform.device.type, enabled=False):
            return waveform.index_copy(0, places, self.change(waveform[places]))


class Gain(nn.Module):
    """Changes the level of each clip by a random number of decibels.

    Args:
        min_db: The lowest gain.
        max_db: The highest gain.
        probability: The share of clips that are changed.

    Raises:
        GenreError: The probability is not from 0 to 1.

    Example:
        >>> import torch
        >>> from genre.audio import Gain
        >>> Gain(min_db=20, max_db=20)(torch.full((1, 1, 2), 0.1))
        tensor([[[1., 1.]]])
    """

    def __init__(self, min_db: float = -6.0, max_db: float = 6.0, probability: float = 1.0) -> None:
        super().__init__()
        if not 0 <= probability <= 1:
            raise GenreError(f"probability is a share, from 0 to 1; found {probability}")
        self.min_db, self.max_db, self.probability = min_db, max_db, probability

    def forward(self, waveform: Tensor) -> Tensor:
        """``(B, 1, samples)`` to the same shape."""
        decibels = uniform(waveform, self.min_db, self.max_db)
        if self.probability < 1:
            decibels *= torch.rand_like(decibels) < self.probability
        return waveform * 10 ** (decibels / 20)


class TimeShift(nn.Module):
    """Rotates each clip by a random time: the end moves to the beginning.

    Args:
        fraction: The largest shift, as a share of the clip's length.

    Example:
        >>> import torch
        >>> from genre.audio import TimeShift
        >>> TimeShift()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(self, fraction: float = 1.0) -> None:
        super().__init__()
        self.fraction = fraction

    def forward(self, waveform: Tensor) -> Tensor:
        """``(B, 1, samples)`` to the same shape."""
        batch, samples = len(waveform), waveform.shape[-1]
        shift = (torch.rand(batch, 1, 1, device=waveform.device) * self.fraction * samples).long()
        source = (torch.arange(samples, device=waveform.device) - shift) % samples  # (B, 1, samples)
        return waveform.gather(-1, source.expand_as(waveform))


class PolarityInversion(PerClip):
    """Inverts the sign of the waveform.

    Args:
        probability: The share of clips that are changed.

    Raises:
        GenreError: The probability is not from 0 to 1.

    Example:
        >>> import torch
        >>> from genre.audio import PolarityInversion
        >>> PolarityInversion(probability=1.0)(torch.tensor([[[1.0, -2.0]]]))
        tensor([[[-1.,  2.]]])
    """

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the negative clips."""
        return -waveform


class Reverse(PerClip):
    """Plays the clip backwards.

    Args:
        probability: The share of clips that are changed.

    Raises:
        GenreError: The probability is not from 0 to 1.

    Example:
        >>> import torch
        >>> from genre.audio import Reverse
        >>> Reverse(probability=1.0)(torch.tensor([[[1.0, 2.0, 3.0]]]))
        tensor([[[3., 2., 1.]]])
    """

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the clips with their samples in reverse order."""
        return waveform.flip(-1)


class Noise(PerClip):
    """Adds white Gaussian noise at a random signal-to-noise ratio; a silent clip stays silent.

    Args:
        probability: The share of clips that are changed.
        min_snr_db: The lowest ratio of the clip's power to the noise's, in decibels.
        max_snr_db: The highest.

    Raises:
        GenreError: The probability or a range is out of bounds.

    Example:
        >>> import torch
        >>> from genre.audio import Noise
        >>> Noise()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(self, probability: float = 0.5, min_snr_db: float = 10.0, max_snr_db: float = 40.0) -> None:
        super().__init__(probability)
        check_range("the signal-to-noise ratio", min_snr_db, max_snr_db)
        self.min_snr_db, self.max_snr_db = min_snr_db, max_snr_db

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the clips plus noise."""
        ratio = uniform(waveform, self.min_snr_db, self.max_snr_db).squeeze(-1)
        noisy: Tensor = AF.add_noise(waveform, torch.randn_like(waveform), ratio)
        return noisy


class SpecAugment(nn.Module):
    """Masks random bands of frequency and of time with the mean of each clip (Park et al. 2019).

    Args:
        frequency_masks: The number of frequency bands.
        frequency_width: The largest width of a frequency band, as a share of the rows.
        time_masks: The number of time bands.
        time_width: The largest width of a time band, as a share of the frames.

    Example:
        >>> import torch
        >>> from genre.audio import SpecAugment
        >>> SpecAugment()(torch.randn(2, 1, 64, 130)).shape
        torch.Size([2, 1, 64, 130])
    """

    def __init__(
        self,
        frequency_masks: int = 2,
        frequency_width: float = 0.15,
        time_masks: int = 2,
        time_width: float = 0.2,
    ) -> None:
        super().__init__()
        self.frequency_masks, self.frequency_width = frequency_masks, frequency_width
        self.time_masks, self.time_width = time_masks, time_width

    def forward(self, spectrogram: Tensor) -> Tensor:
        """``(B, 1, frequency, time)`` to the same shape."""
        rows = _mask(spectrogram, spectrogram.shape[2], self.frequency_masks, self.frequency_width)
        frames = _mask(spectrogram, spectrogram.shape[3], self.time_masks, self.time_width)
        masked = rows[:, None, :, None] | frames[:, None, None, :]
        return torch.where(masked, spectrogram.mean((2, 3), keepdim=True), spectrogram)


class Mixup(nn.Module):
    """Blends each clip and its target with another of the batch (Zhang et al. 2018).

    Args:
        alpha: Both parameters of the beta distribution of the other clip's share.

    Raises:
        GenreError: ``alpha`` is not positive.

    Example:
        >>> import torch
        >>> from genre.audio import Mixup
        >>> inputs, targets = Mixup()(torch.randn(2, 1, 64, 130), torch.tensor([0, 2]), num_classes=3)
        >>> inputs.shape, targets.shape, bool(torch.isclose(targets.sum(1), torch.ones(2)).all())
        (torch.Size([2, 1, 64, 130]), torch.Size([2, 3]), True)
    """

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        if not alpha > 0:
            raise GenreError(f"alpha of mixup must be positive; found {alpha}")
        self.alpha = alpha

    def forward(self, inputs: Tensor, targets: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
        """Blends a batch.

        Args:
            inputs: ``(B, 1, frequency, time)``.
            targets: ``(B,)`` class indices.
            num_classes: The number of classes.

        Returns:
            The blended inputs and the targets as probabilities, ``(B, num_classes)``.
        """
        size = len(inputs)
        share = torch.distributions.Beta(self.alpha, self.alpha).sample((size,)).to(inputs)
        other = torch.randperm(size, device=inputs.device)
        one_hot = F.one_hot(targets, num_classes).to(inputs.dtype)
        blended = torch.lerp(inputs, inputs[other], share.view(-1, 1, 1, 1))
        return blended, torch.lerp(one_hot, one_hot[other], share.view(-1, 1))


def check_range(name: str, low: float, high: float, floor: float = -math.inf, ceiling: float = math.inf) -> None:
    """Raises a :class:`~genre.GenreError` unless ``low`` to ``high`` is a range within ``floor`` to ``ceiling``."""
    if not floor <= low <= high <= ceiling:
        given = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        raise GenreError(f"{name}: found {given}, expected a range within {floor:g} and {ceiling:g}")


def uniform(waveform: Tensor, low: float, high: float) -> Tensor:
    """One number per clip, ``(clips, 1, 1)``, on the waveform's device."""
    return waveform.new_empty(len(waveform), 1, 1).uniform_(low, high)


def _mask(like: Tensor, size: int, masks: int, width: float) -> Tensor:
    """``(B, size)``: true inside any of ``masks`` random bands of at most ``width * size``."""
    shape = (len(like), masks, 1)
    length = (torch.rand(shape, device=like.device) * (int(width * size) + 1)).floor()
    start = (torch.rand(shape, device=like.device) * (size - length + 1)).floor()
    place = torch.arange(size, device=like.device)
    return ((place >= start) & (place < start + length)).any(1)
