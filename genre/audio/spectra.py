"""The parts of features: power spectrogram, mel bands, decibels, picture."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from genre.errors import GenreError

PadMode: TypeAlias = Literal["reflect", "constant"]
MelNorm: TypeAlias = Literal["slaney"] | None
MelScaleName: TypeAlias = Literal["slaney", "htk"]

#: The number of mel bands that are computed at once, from the bins with a weight in any of them. Most weights are 0, so
#: this takes a quarter of the time of the whole product.
BANDS = 16


class PowerSpectrogram(nn.Module):
    """Power spectrogram with centred frames: ``(clips, samples)`` to ``(clips, n_fft // 2 + 1, time)``."""

    def __init__(
        self, n_fft: int, win_length: int | None, hop_length: int | None, pad_mode: PadMode = "reflect"
    ) -> None:
        super().__init__()
        window = n_fft if win_length is None else win_length
        require_at_least_one(
            n_fft=n_fft, win_length=window, hop_length=window // 2 if hop_length is None else hop_length
        )
        if window > n_fft:
            raise GenreError(f"win_length must be at most n_fft, which is {n_fft}; found {win_length}")
        require_one_of(get_args(PadMode), pad_mode=pad_mode)
        self.transform = torchaudio.transforms.Spectrogram(n_fft, win_length, hop_length, power=None, pad_mode=pad_mode)

    def forward(self, waveform: Tensor) -> Tensor:
        """The power of each bin and frame.

        Raises:
            GenreError: The clip is too short.
        """
        n_fft = self.transform.n_fft
        # Reflection padding needs more samples than it adds; zero padding needs none.
        shortest = n_fft // 2 + 1 if self.transform.pad_mode == "reflect" else 1
        if waveform.shape[-1] < shortest:
            raise GenreError(
                f"a clip of {waveform.shape[-1]} samples is too short for n_fft={n_fft}; "
                f"give at least {shortest} samples or a smaller n_fft"
            )
        spectrum = self.transform(waveform)
        # abs().square() would compute a square root first, which takes longer than the Fourier transform.
        return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


class MelBank(nn.Module):
    """``(clips, n_fft // 2 + 1, time)`` to ``(clips, n_mels, time)``; exact even if the rate or ``n_fft`` is odd.

    Args:
        n_mels: The number of bands.
        sample_rate: The rate of the waveform in hertz.
        f_min: The lowest frequency in hertz.
        f_max: The highest; ``None``: half of the rate.
        n_fft: The length of a frame's Fourier transform in samples.
        norm: "slaney": filters of equal area; ``None``: of equal height.
        mel_scale: "slaney" as in librosa, "htk" as in torchaudio.

    Raises:
        GenreError: ``f_min`` is not below ``f_max``.
    """

    weights: Tensor

    def __init__(
        self,
        n_mels: int,
        sample_rate: int,
        f_min: float,
        f_max: float | None,
        n_fft: int,
        norm: MelNorm,
        mel_scale: MelScaleName,
    ) -> None:
        super().__init__()
        # Torchaudio places the bins from 0 to sample_rate // 2, which is exact only for even numbers. With twice the
        # rate, it places n_fft + 1 bins from 0 to the rate: exactly the multiples of sample_rate / n_fft.
        top = sample_rate / 2 if f_max is None else f_max
        if f_min >= top:
            raise GenreError(f"f_min must be below f_max, which is {top:g} Hz; found {f_min:g} Hz")
        bank = torchaudio.functional.melscale_fbanks(n_fft + 1, f_min, top, n_mels, 2 * sample_rate, norm, mel_scale)
        self.register_buffer("weights", bank[: n_fft // 2 + 1].T.contiguous(), persistent=False)
        self.bins = [_span(weights) for weights in torch.split(self.weights, BANDS)]

    def forward(self, power: Tensor) -> Tensor:
        """The power in each band."""
        parts = zip(torch.split(self.weights, BANDS), self.bins, strict=True)
        return torch.cat([weights[:, bins] @ power[:, bins] for weights, bins in parts], dim=1)


def to_decibels(power: Tensor, top_db: float | None) -> Tensor:
    """``10 log10(power)``, clipped to ``top_db`` below the maximum of each clip."""
    # Without a channel axis, torchaudio would take the maximum over the whole batch.
    decibels: Tensor = torchaudio.functional.amplitude_to_DB(power.unsqueeze(1), 10.0, 1e-10, 0.0, top_db)
    return decibels.squeeze(1)


class Picture(nn.Module):
    """Renders clips in the colours of viridis, each from its lowest to its highest value, with row 0 at the bottom.

    Args:
        size: Height and width of the pictures in pixels.

    Raises:
        GenreError: The size is below 1.
    """

    colors: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise GenreError(f"picture is a number of pixels, at least 1; found {size}")
        self.size = size
        import matplotlib  # takes as long as all else that a prediction without pictures imports of this library

        colors = matplotlib.colormaps["viridis"](range(256))[:, :3]  # red, green, blue of 256 values
        self.register_buffer("colors", torch.tensor(colors, dtype=torch.float32), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """``(…, 1, frequency, time)`` to ``(…, 3, size, size)``, from 0 to 1."""
        clips = values.reshape(-1, 1, *values.shape[-2:]).flip(-2)
        lowest, highest = clips.amin((-2, -1), keepdim=True), clips.amax((-2, -1), keepdim=True)
        clips = (clips - lowest) / (highest - lowest).clamp(min=1e-6)
        clips = F.interpolate(clips, (self.size, self.size), mode="bilinear", antialias=True)
        pictures = self.colors[(clips[:, 0] * 255).round().long().clamp(0, 255)]  # (clips, size, size, 3)
        return pictures.movedim(-1, 1).reshape(*values.shape[:-3], 3, self.size, self.size)


def require_at_least_one(**arguments: int) -> None:
    """Raises a GenreError for an argument below 1."""
    for name, value in arguments.items():
        if value < 1:
            raise GenreError(f"{name} must be at least 1; found {value}")


def require_one_of(known: Sequence[str], **arguments: str) -> None:
    """Raises a GenreError for an argument that is not one of the known words."""
    for name, value in arguments.items():
        if value not in known:
            raise GenreError(f"{name} must be {' or '.join(known)}; found {value}")


def _span(weights: Tensor) -> slice:
    """The range of bins that have a weight in any of the bands."""
    used = weights.any(0).nonzero().flatten().tolist()
    return slice(used[0], used[-1] + 1) if used else slice(0)
