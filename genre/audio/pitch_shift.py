"""Random transposition of waveforms for training."""

import math
from fractions import Fraction

import torch
import torchaudio.functional as AF
from torch import Tensor

from genre.audio.augment import PerClip, check_range
from genre.errors import GenreError

#: The window of the phase vocoder in samples; torchaudio's 512 is too short for the bass of music.
WINDOW = 2048


class PitchShift(PerClip):
    """Transposes the clip by a random number of semitones, never 0, at the same speed.

    It uses torchaudio's ``pitch_shift`` (a phase vocoder, then resampling) with librosa's window of 2048 samples, once
    for all clips with the same step. It is by far the slowest effect: a clip of 3 s takes 6 to 8 ms on one CPU thread,
    more than a training step of a small CNN; the other effects take less than 1 ms. Clips must be longer than 1024
    samples.

    Args:
        probability: The share of clips that are changed.
        min_semitones: The lowest step; negative is down.
        max_semitones: The highest step.

    Raises:
        GenreError: The probability or the range of semitones is out of bounds, or the range holds 0 alone.

    Example:
        >>> import torch
        >>> from genre.audio import PitchShift
        >>> PitchShift()(torch.randn(2, 1, 22050)).shape
        torch.Size([2, 1, 22050])
    """

    def __init__(self, probability: float = 0.5, min_semitones: int = -7, max_semitones: int = 7) -> None:
        super().__init__(probability)
        check_range("the semitones", min_semitones, max_semitones, -24, 24)
        self.steps = [step for step in range(min_semitones, max_semitones + 1) if step]
        if not self.steps:
            raise GenreError("the semitones are all 0: expected min_semitones below 0 or max_semitones above")

    def change(self, waveform: Tensor) -> Tensor:
        """Returns the transposed clips, exact to 2 cents."""
        drawn = torch.randint(len(self.steps), (len(waveform),), device=waveform.device).tolist()
        shifted = torch.empty_like(waveform)
        for index in sorted(set(drawn)):
            places = [place for place, other in enumerate(drawn) if other == index]
            shifted[places] = _transpose(waveform[places], self.steps[index])
        return shifted


def _transpose(waveform: Tensor, semitones: int) -> Tensor:
    """Shifts waveforms up by a number of semitones."""
    # Torchaudio uses the rate only to resample from int(sample_rate · 2^(semitones / 12)) to sample_rate. At 22,050 Hz
    # these rates have hardly a common factor, and the resampler's kernel takes 1 GB. So the ratio is approximated by a
    # fraction of small numbers. The millionth of a semitone prevents int() from rounding down to the number below.
    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(100)
    steps = 12 * math.log2(ratio) + 1e-6
    shifted: Tensor = AF.pitch_shift(waveform, ratio.denominator, steps, n_fft=WINDOW)
    return shifted
