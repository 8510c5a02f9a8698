"""The filterbank that makes mel bands of a power spectrum."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from genre.errors import GenreError

MelNorm: TypeAlias = Literal["slaney"] | None
MelScaleName: TypeAlias = Literal["slaney", "htk"]

#: So many mel bands at a time are multiplied by the bins that have a weight in them: a quarter of the whole product's
#: time, as most weights are 0.
BANDS = 16


class MelBank(nn.Module):
    """``(clips, n_fft // 2 + 1, time)`` to ``(clips, n_mels, time)``; exact also where rate or ``n_fft`` is odd.

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
        # Torchaudio places n bins from 0 to sample_rate // 2, which is right for even numbers only: asked for the bins
        # up to the rate itself, it hits every multiple of sample_rate / n_fft.
        top = sample_rate / 2 if f_max is None else f_max
        if f_min >= top:
            raise GenreError(f"f_min must be below f_max, which is {top:g} Hz; found {f_min:g} Hz")
        bank = melscale_fbanks(n_fft + 1, f_min, top, n_mels, 2 * sample_rate, norm, mel_scale)
        self.register_buffer("weights", bank[: n_fft // 2 + 1].T.contiguous(), persistent=False)
        self.bins = [_span(weights) for weights in torch.split(self.weights, BANDS)]

    def forward(self, power: Tensor) -> Tensor:
        """The power in each band."""
        parts = zip(torch.split(self.weights, BANDS), self.bins, strict=True)
        return torch.cat([weights[:, bins] @ power[:, bins] for weights, bins in parts], dim=1)


def _span(weights: Tensor) -> slice:
    """From the first to the last bin that has a weight in any of the bands."""
    used = weights.any(0).nonzero().flatten().tolist()
    return slice(used[0], used[-1] + 1) if used else slice(0)
