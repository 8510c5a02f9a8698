"""From a folder of audio to batches of features."""

from genre.data.augment import Gain, Mixup, SpecAugment, TimeShift
from genre.data.ballroom import Ballroom
from genre.data.csv_list import CSV
from genre.data.datamodule import GenreDataModule
from genre.data.features import MFCC, Feature, MelSpectrogram, Spectrogram
from genre.data.fma import FMA
from genre.data.folder import Folder
from genre.data.gtzan import GTZAN
from genre.data.splits import KFoldSplit, OfficialSplit, SegmentSplit, Split, StratifiedSplit
from genre.data.synthetic import Synthetic
from genre.data.track import Corpus, Track
from genre.data.waveform_augment import Delay, HighLowPass, Noise, PitchShift, PolarityInversion, Reverb, Reverse

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
