"""From a folder of audio to batches of features.

The features and augmentations are those of :mod:`genre.audio`; configurations may name them here, too.
"""

from genre.audio.augment import Gain, Mixup, SpecAugment, TimeShift
from genre.audio.effects import Delay, HighLowPass, Noise, PitchShift, PolarityInversion, Reverb, Reverse
from genre.audio.features import MFCC, Feature, MelSpectrogram, Spectrogram
from genre.data.ballroom import Ballroom
from genre.data.csv import CSV
from genre.data.datamodule import GenreDataModule
from genre.data.fma import FMA
from genre.data.folder import Folder
from genre.data.gtzan import GTZAN
from genre.data.splits import KFoldSplit, OfficialSplit, SegmentSplit, Split, StratifiedSplit
from genre.data.synthetic import Synthetic
from genre.data.track import Corpus, Track

__all__ = [
    "CSV",
    "FMA",
    "GTZAN",
    "MFCC",
    "Ballroom",
    "Corpus",
    "Delay",
    "Feature",
    "Folder",
    "Gain",
    "GenreDataModule",
    "HighLowPass",
    "KFoldSplit",
    "MelSpectrogram",
    "Mixup",
    "Noise",
    "OfficialSplit",
    "PitchShift",
    "PolarityInversion",
    "Reverb",
    "Reverse",
    "SegmentSplit",
    "SpecAugment",
    "Spectrogram",
    "Split",
    "StratifiedSplit",
    "Synthetic",
    "TimeShift",
    "Track",
]
