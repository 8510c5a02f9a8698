"""Features: turn a waveform into normalised decibels, the input of a network.

The arguments have torchaudio's names. Unlike torchaudio's transforms, the features return normalised decibels, apply
``top_db`` to each clip separately, and compute in float32 even under autocast.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from genre.audio.spectra import (
    MelBank,
    MelNorm,
    MelScaleName,
    PadMode,
    Picture,
    PowerSpectrogram,
    require_at_least_one,
    require_one_of,
    to_decibels,
)
from genre.errors import GenreError

#: Samples that a CPU transforms at once (seven clips of 3 s): the spectrogram of a batch does not fit in its cache,
#: and that of one clip is too small for several threads.
CPU_SAMPLES = 1 << 19

Statistic: TypeAlias = float | Sequence[float] | None
Compression: TypeAlias = Literal["decibels", "log10"]


class Feature(nn.Module, ABC):
    """Base class of the features: ``(…, samples)`` to normalised ``(…, frequency, time)``.

    A subclass implements :meth:`transform` and keeps every argument of its constructor as an attribute of the same
    name, so that a checkpoint can store its configuration.

    Args:
        sample_rate: The rate of the waveform in hertz.
        mean: The mean that is subtracted: one number, or one per row (frequency bin, mel band, coefficient).
            ``None``: measured on the train tracks before the first batch. 0 with a ``std`` of 1: no normalisation.
        std: The standard deviation that the difference is divided by: one number, one per row, or ``None`` as above.
        centering: The share of each row's mean over the clip that is subtracted first. A room, a microphone or an
            equaliser adds such a mean to the whole recording. 1 removes all of it, and much of the timbre: cepstral
            mean normalisation (B. S. Atal, J. Acoust. Soc. Am. 55(6), 1974).
        picture: Height and width in pixels of an RGB picture in the colours of viridis, which replaces the rows and
            frames and needs no statistics; ``None``: no picture.

    Raises:
        GenreError: An argument is out of its range.

    Example:
        >>> import torch
        >>> from genre.audio import Feature
        >>> class Energy(Feature):
        ...     def transform(self, waveform):
        ...         return waveform.unfold(-1, 512, 512).square().mean(-1).unsqueeze(1)
        >>> Energy(22050, mean=0.0, std=1.0)(torch.ones(2, 1, 1024))
        tensor([[[[1., 1.]]],
        <BLANKLINE>
        <BLANKLINE>
                [[[1., 1.]]]])
    """

    mean: Statistic
    std: Statistic
    _shift: Tensor
    _scale: Tensor

    def __init__(
        self, sample_rate: int, mean: Statistic, std: Statistic, centering: float = 0.0, picture: int | None = None
    ) -> None:
        super().__init__()
        require_at_least_one(sample_rate=sample_rate)
        if not 0 <= centering <= 1:
            raise GenreError(f"centering is a share, from 0 to 1; found {centering}")
        self.sample_rate, self.centering, self.picture = sample_rate, centering, picture
        self.paint = None if picture is None else Picture(picture)
        self.register_buffer("_shift", torch.zeros(1), persistent=False)
        self.register_buffer("_scale", torch.ones(1), persistent=False)
        # A picture maps each clip's minimum and maximum to fixed colours, so a shift and a scale have no effect.
        self.set_statistics(*((mean, std) if picture is None else (0.0, 1.0)))

    @abstractmethod
    def transform(self, waveform: Tensor) -> Tensor:
        """``(clips, samples)`` in float32 to ``(clips, frequency, time)``, not normalised."""

    @property
    def measured(self) -> bool:
        """Whether the statistics are known."""
        return self.mean is not None and self.std is not None

    def set_statistics(self, mean: Statistic, std: Statistic) -> None:
        """Sets the normalisation: one number, or one per row.

        Raises:
            GenreError: ``std`` is not positive.
        """
        self.mean, self.std = mean, std
        self._shift = torch.as_tensor(0.0 if mean is None else mean, dtype=torch.float32).reshape(-1, 1)
        self._scale = torch.as_tensor(1.0 if std is None else std, dtype=torch.float32).reshape(-1, 1)
        if not (self._scale > 0).all():
            raise GenreError(f"std is what the features are divided by, and must be positive; found {std}")

    @torch.no_grad()
    def measure(self, waveforms: Iterable[Tensor]) -> None:
        """Measures the mean and the standard deviation of every row over clips of any length, in float64.

        Raises:
            GenreError: There is no clip.
        """
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for waveform in waveforms:
            rows = self.decibels(waveform).double().transpose(-1, -2).flatten(0, -2)  # (all frames, frequency)
            count += len(rows)
            total, squares = total + rows.sum(0), squares + rows.square().sum(0)
        if not count:
            raise GenreError("no readable train track to measure the features' mean and standard deviation on")
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=1e-6).sqrt()
        self.set_statistics(
            mean.float().tolist() if self.mean is None else self.mean,
            std.float().tolist() if self.std is None else self.std,
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """``(…, samples)`` to ``(…, frequency, time)`` in float32.

        With ``picture``, ``(…, 1, samples)`` becomes ``(…, 3, picture, picture)``, from 0 to 1. For ``(samples,)``, the
        rows and frames of the picture are returned.

        Raises:
            GenreError: The statistics are unknown.
        """
        if not self.measured:
            raise GenreError(
                f"{type(self).__name__} has no mean and std yet; they are measured on the train tracks: call "
                "data.measure_features(), take data.to_inputs(batch), or give mean and std (0 and 1: no normalisation)"
            )
        decibels = self.decibels(waveform)
        if self.paint is not None and waveform.ndim > 1:
            painted: Tensor = self.paint(decibels)
            return painted
        for name, values in (("mean", self._shift), ("std", self._scale)):
            if len(values) not in (1, decibels.shape[-2]):
                raise GenreError(
                    f"{name} has {len(values)} values for the {decibels.shape[-2]} rows of {type(self).__name__}; give "
                    "one for each row, or a single number"
                )
        return (decibels - self._shift.to(decibels.device)) / self._scale.to(decibels.device)

    def decibels(self, waveform: Tensor) -> Tensor:
        """``(…, samples)`` to ``(…, frequency, time)`` in float32, not normalised; needs no statistics."""
        with torch.autocast(waveform.device.type, enabled=False):
            # An explicit number of clips: reshape cannot infer -1 if the clips are empty.
            clips = waveform.float().reshape(math.prod(waveform.shape[:-1]), waveform.shape[-1])
            # An exported graph takes batches of any size, so it computes all clips at once.
            on_cpu = clips.device.type == "cpu" and not torch.compiler.is_exporting()
            parts = torch.split(clips, max(1, CPU_SAMPLES // max(1, clips.shape[1]))) if on_cpu else (clips,)
            result = torch.cat([self.transform(part) for part in parts])
            if self.centering:
                result = result - self.centering * result.mean(-1, keepdim=True)
        return result.reshape(*waveform.shape[:-1], *result.shape[-2:])


class Spectrogram(Feature):
    """Power spectrogram in decibels, with ``n_fft // 2 + 1`` rows.

    Args:
        sample_rate: The rate of the waveform in hertz.
        n_fft: The length of a frame's Fourier transform in samples.
        win_length: The length of the Hann window; ``None``: ``n_fft``.
        hop_length: Samples from frame to frame; ``None``: half of the window.
        top_db: The range in decibels below each clip's maximum at which quieter values are clipped, or ``None``.
        mean: See :class:`Feature`.
        std: See :class:`Feature`.
        centering: See :class:`Feature`.
        picture: See :class:`Feature`.

    Raises:
        GenreError: An argument is out of its range.

    Example:
        >>> import torch
        >>> from genre.audio import Spectrogram
        >>> Spectrogram(mean=0.0, std=1.0)(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 1025, 44])
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int | None = 512,
        top_db: float | None = 80.0,
        mean: Statistic = None,
        std: Statistic = None,
        centering: float = 0.0,
        picture: int | None = None,
    ) -> None:
        super().__init__(sample_rate, mean, std, centering, picture)
        self.n_fft, self.win_length, self.hop_length, self.top_db = n_fft, win_length, hop_length, top_db
        self.power = PowerSpectrogram(n_fft, win_length, hop_length)

    def transform(self, waveform: Tensor) -> Tensor:  # noqa: D102
        return to_decibels(self.power(waveform), self.top_db)


class MelSpectrogram(Feature):
    """Mel spectrogram in decibels or another logarithm, with ``n_mels`` rows; librosa's scale and norm by default.

    Args:
        sample_rate: The rate of the waveform in hertz.
        n_fft: The length of a frame's Fourier transform in samples.
        win_length: The length of the Hann window; ``None``: ``n_fft``.
        hop_length: Samples from frame to frame; ``None``: half of the window.
        f_min: The lowest frequency in hertz.
        f_max: The highest frequency in hertz; ``None``: half of the sample rate.
        n_mels: The number of mel bands.
        norm: ``slaney``: triangles of equal area; ``None``: of equal height (torchaudio's own default).
        mel_scale: The formula of the mel scale; ``htk`` is torchaudio's own default.
        top_db: The range in decibels below each clip's maximum at which quieter values are clipped, or ``None``; only
            for ``decibels``.
        mean: See :class:`Feature`.
        std: See :class:`Feature`.
        centering: See :class:`Feature`.
        pad_mode: How the first and the last frame are padded: ``reflect`` as in torchaudio, ``constant`` (zeros) as in
            librosa.
        compression: ``decibels``: 10 log10(power); ``log10``: log10(1 + 10000 power), as in many taggers such as
            MusiCNN.
        picture: See :class:`Feature`.

    Raises:
        GenreError: An argument is out of its range.

    Example:
        >>> import torch
        >>> from genre.audio import MelSpectrogram
        >>> MelSpectrogram(n_mels=64, mean=0.0, std=1.0)(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 64, 44])
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int | None = 512,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_mels: int = 128,
        norm: MelNorm = "slaney",
        mel_scale: MelScaleName = "slaney",
        top_db: float | None = 80.0,
        mean: Statistic = None,
        std: Statistic = None,
        centering: float = 0.0,
        pad_mode: PadMode = "reflect",
        compression: Compression = "decibels",
        picture: int | None = None,
    ) -> None:
        super().__init__(sample_rate, mean, std, centering, picture)
        self.n_fft, self.win_length, self.hop_length, self.top_db = n_fft, win_length, hop_length, top_db
        self.f_min, self.f_max, self.n_mels, self.norm, self.mel_scale = f_min, f_max, n_mels, norm, mel_scale
        self.pad_mode, self.compression = pad_mode, compression
        require_at_least_one(n_mels=n_mels)
        require_one_of(get_args(Compression), compression=compression)
        self.power = PowerSpectrogram(n_fft, win_length, hop_length, pad_mode)
        self.filterbank = MelBank(n_mels, sample_rate, f_min, f_max, n_fft, norm, mel_scale)

    def transform(self, waveform: Tensor) -> Tensor:  # noqa: D102
        power: Tensor = self.filterbank(self.power(waveform))
        return to_decibels(power, self.top_db) if self.compression == "decibels" else torch.log10(1 + 10000 * power)
