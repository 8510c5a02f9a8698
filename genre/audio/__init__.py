"""Audio as tensors: decoding, features and augmentation."""

from genre.audio.augment import Gain, Mixup, Noise, PolarityInversion, Reverse, SpecAugment, TimeShift
from genre.audio.effects import Delay, HighLowPass, Reverb
from genre.audio.features import Feature, MelSpectrogram, Spectrogram
from genre.audio.mfcc import MFCC
from genre.audio.pitch_shift import PitchShift

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
