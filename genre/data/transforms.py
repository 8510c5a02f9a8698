"""The features and augmentations of :mod:`genre.audio`, which configurations may name in :mod:`genre.data`, too."""

from genre.audio.augment import Gain, Mixup, SpecAugment, TimeShift
from genre.audio.effects import Delay, HighLowPass, Noise, PitchShift, PolarityInversion, Reverb, Reverse
from genre.audio.features import MFCC, Feature, MelSpectrogram, Spectrogram

__all__ = [
    "MFCC",
    "Delay",
    "Feature",
    "Gain",
    "HighLowPass",
    "MelSpectrogram",
    "Mixup",
    "Noise",
    "PitchShift",
    "PolarityInversion",
    "Reverb",
    "Reverse",
    "SpecAugment",
    "Spectrogram",
    "TimeShift",
]
