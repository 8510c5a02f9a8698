"""Effects of a studio for training: filters, echo and reverberation.

With :mod:`genre.audio.augment`, these are the effects of torchaudio-augmentations (Spijkervet 2021), in batches; the
train sampler draws the random crops. The ranges of cutoffs, delays and pitch are those of torchaudio-augmentations; the
ranges of noise and reverberation are our own.

All effects map ``(B, 1, samples)`` to the same shape, run on the waveform's device, and draw from torch's generator.
"""

import math

import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import Tensor

from genre.audio.augment import PerClip, check_range, uniform

#: The quality of a second-order filter without resonance.
BUTTERWORTH = 0.5**0.5


class HighLowPass(PerClip):
    """Applies a low-pass or a high-pass filter with a random cutoff, 12 dB per octave.

    The filters are those of torchaudio's ``lowpass_biquad`` and ``highpass_biquad`` (second order, Butterworth).

    Args:
        sample_rate: The rate of the waveform in hertz.
        probability: The share of clips that are changed.
        low_pass_share: The share of changed clips that get the low pass; the others get the high pass.
        min_low_pass: The lowest cutoff of the low pass in hertz.
        max_low_pass: The highest.
        min_high_pass: The lowest cutoff of the high pass in hertz.
        max_high_pass: The highest.

    Raises:
        GenreError: The probability or a range is out of bounds.

    Example:
        >>> import torch
        >>> from genre.audio import HighLowPass
        >>> HighLowPass()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        probability: float = 0.5,
        low_pass_share: float = 0.5,
        min_low_pass: float = 2200.0,
        max_low_pass: float = 4000.0,
        min_high_pass: float = 200.0,
        max_high_pass: float = 1200.0,
    ) -> None:
        super().__init__(probability)
        check_range("low_pass_share", low_pass_share, low_pass_share, 0, 1)
        # A filter with a cutoff below 10 Hz rings so long that the padding would be too large.
        check_range("the low pass's cutoff", min_low_pass, max_low_pass, 10, sample_rate / 2 - 10)
        check_range("the high pass's cutoff", min_high_pass, max_high_pass, 10, sample_rate / 2 - 10)
        self.sample_rate, self.low_pass_share = sample_rate, low_pass_share
        self.min_low_pass, self.max_low_pass = min_low_pass, max_low_pass
        self.min_high_pass, self.max_high_pass = min_high_pass, max_high_pass

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the filtered clips.

        Filters in the frequency domain, which is parallel on a GPU; ``lfilter`` is sequential over samples. On a CPU,
        ``lfilter`` with coefficients per clip would take about half the time, 0.4 ms per clip.
        """
        low = torch.rand((len(waveform), 1, 1), device=waveform.device) < self.low_pass_share
        low_cutoff = uniform(waveform, self.min_low_pass, self.max_low_pass)
        high_cutoff = uniform(waveform, self.min_high_pass, self.max_high_pass)
        cutoff = torch.where(low, low_cutoff, high_cutoff) * (math.pi / self.sample_rate)  # half the cutoff's angle
        samples = waveform.shape[-1]
        size = _fast_size(samples + self._ringing())
        angle = torch.linspace(
            0, math.pi / 2, size // 2 + 1, device=waveform.device, dtype=waveform.dtype
        )  # half of each bin's angle
        # The analogue prototype 1 / (1 + s/Q + s²) or s² / (1 + s/Q + s²), at s = j · tan(angle) / tan(cutoff) by the
        # bilinear transform. The fraction is expanded by the denominators of both tangents.
        c, s = angle.cos() * cutoff.sin(), angle.sin() * cutoff.cos()  # (drawn, 1, size // 2 + 1)
        over = torch.where(low, c * c, -s * s)
        spectrum = torch.fft.rfft(waveform, size) * over / torch.complex(c * c - s * s, c * s / BUTTERWORTH)
        filtered: Tensor = torch.fft.irfft(spectrum, size)
        return filtered[..., :samples]

    def _ringing(self) -> int:
        """Samples until all filters have decayed to exp(-16), so that the response does not wrap to the beginning."""
        cutoffs = (self.min_low_pass, self.max_low_pass, self.min_high_pass, self.max_high_pass)
        slowest = min(math.sin(2 * math.pi * cutoff / self.sample_rate) for cutoff in cutoffs)
        return math.ceil(16 * 2 * BUTTERWORTH / slowest)


class Delay(PerClip):
    """Adds an echo: a delayed and softer copy of the clip.

    Args:
        sample_rate: The rate of the waveform in hertz.
        probability: The share of clips that are changed.
        min_seconds: The shortest delay.
        max_seconds: The longest.
        level_db: The echo's level relative to the clip.

    Raises:
        GenreError: The probability or a range is out of bounds.

    Example:
        >>> import torch
        >>> from genre.audio import Delay
        >>> Delay()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        probability: float = 0.5,
        min_seconds: float = 0.2,
        max_seconds: float = 0.5,
        level_db: float = -6.0,
    ) -> None:
        super().__init__(probability)
        check_range("the delay", min_seconds, max_seconds, 0)
        self.sample_rate, self.level_db = sample_rate, level_db
        self.min_seconds, self.max_seconds = min_seconds, max_seconds

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the clips plus their echoes."""
        clips, samples = len(waveform), waveform.shape[-1]
        shortest, longest = (round(seconds * self.sample_rate) for seconds in (self.min_seconds, self.max_seconds))
        lag = torch.randint(shortest, longest + 1, (clips, 1, 1), device=waveform.device)
        source = torch.arange(longest, longest + samples, device=waveform.device) - lag  # (drawn, 1, samples)
        return waveform + F.pad(waveform, (longest, 0)).gather(-1, source) * 10 ** (self.level_db / 20)


class Reverb(PerClip):
    """Adds reverberation: the convolution of the clip with exponentially decaying noise, drawn for each clip.

    Args:
        sample_rate: The rate of the waveform in hertz.
        probability: The share of clips that are changed.
        min_t60: The shortest reverberation time: seconds in which the tail falls by 60 dB.
        max_t60: The longest.
        min_level_db: The lowest energy of the tail's impulse response relative to the direct sound.
        max_level_db: The highest.

    Raises:
        GenreError: The probability or a range is out of bounds.

    Example:
        >>> import torch
        >>> from genre.audio import Reverb
        >>> Reverb()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        probability: float = 0.5,
        min_t60: float = 0.2,
        max_t60: float = 1.0,
        min_level_db: float = -20.0,
        max_level_db: float = -5.0,
    ) -> None:
        super().__init__(probability)
        check_range("the reverberation time", min_t60, max_t60, 0.01)
        check_range("the tail's level", min_level_db, max_level_db)
        self.sample_rate = sample_rate
        self.min_t60, self.max_t60 = min_t60, max_t60
        self.min_level_db, self.max_level_db = min_level_db, max_level_db

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the clips plus reverberation."""
        samples = waveform.shape[-1]
        decay = -math.log(1000) / (uniform(waveform, self.min_t60, self.max_t60) * self.sample_rate)  # per sample
        level = 10 ** (uniform(waveform, self.min_level_db, self.max_level_db) / 20)
        # At least the longest tail, and enough taps for a fast size of the convolution's Fourier transforms.
        longest = min(round(self.max_t60 * self.sample_rate), samples)
        taps = _fast_size(samples + longest) + 1 - samples
        tail = waveform.new_empty(len(waveform), 1, taps).normal_()
        tail *= (decay * torch.arange(taps, device=waveform.device)).exp()
        tail[..., 0] = 0
        response = tail * (level / torch.linalg.vector_norm(tail, dim=-1, keepdim=True))
        reverberation: Tensor = AF.fftconvolve(waveform, response)
        return waveform + reverberation[..., :samples]


def _fast_size(min_size: int) -> int:
    """An even size without large prime factors, for fast Fourier transforms: 8 to 16 times a power of two."""
    step = 1 << max(min_size.bit_length() - 4, 1)
    return math.ceil(min_size / step) * step
