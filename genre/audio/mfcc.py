"""Mel-frequency cepstral coefficients."""

import torchaudio.functional
from torch import Tensor

from genre.audio.features import Feature, MelSpectrogram, Statistic
from genre.audio.spectra import MelNorm, MelScaleName, require_at_least_one
from genre.errors import GenreError


class MFCC(Feature):
    """``n_mfcc`` mel-frequency cepstral coefficients: the orthonormal DCT-II of a mel spectrogram in decibels.

    Args:
        sample_rate: The rate of the waveform in hertz.
        n_mfcc: The number of coefficients, at most ``n_mels``.
        n_fft: The length of a frame's Fourier transform in samples.
        win_length: The length of the Hann window; ``None``: ``n_fft``.
        hop_length: Samples from frame to frame; ``None``: half of the window.
        f_min: The lowest frequency in hertz.
        f_max: The highest frequency in hertz; ``None``: half of the sample rate.
        n_mels: The number of mel bands.
        norm: ``slaney``: triangles of equal area; ``None``: of equal height (torchaudio's own default).
        mel_scale: The formula of the mel scale; ``htk`` is torchaudio's own default.
        top_db: The range in decibels below each clip's maximum at which quieter values are clipped, or ``None``.
        mean: See :class:`Feature`.
        std: See :class:`Feature`.
        centering: See :class:`Feature`.
        picture: See :class:`Feature`.

    Raises:
        GenreError: An argument is out of its range.

    Example:
        >>> import torch
        >>> from genre.audio import MFCC
        >>> MFCC(n_mfcc=13, mean=0.0, std=1.0)(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 13, 44])
    """

    basis: Tensor

    def __init__(
        self,
        sample_rate: int = 22050,
        n_mfcc: int = 20,
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
        picture: int | None = None,
    ) -> None:
        require_at_least_one(n_mfcc=n_mfcc, n_mels=n_mels)
        if n_mfcc > n_mels:
            raise GenreError(f"MFCC needs n_mfcc <= n_mels; found n_mfcc={n_mfcc}, n_mels={n_mels}")
        super().__init__(sample_rate, mean, std, centering, picture)
        self.n_fft, self.win_length, self.hop_length, self.top_db = n_fft, win_length, hop_length, top_db
        self.f_min, self.f_max, self.n_mels, self.norm, self.mel_scale = f_min, f_max, n_mels, norm, mel_scale
        self.n_mfcc = n_mfcc
        self.mel = MelSpectrogram(
            sample_rate, n_fft, win_length, hop_length, f_min, f_max, n_mels, norm, mel_scale, top_db
        )
        self.register_buffer("basis", torchaudio.functional.create_dct(n_mfcc, n_mels, "ortho"), persistent=False)

    def transform(self, waveform: Tensor) -> Tensor:  # noqa: D102
        return self.basis.T @ self.mel.transform(waveform)  # (coefficients, bands) @ (clips, bands, time)
