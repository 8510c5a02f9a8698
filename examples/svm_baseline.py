"""A baseline without deep learning: a support vector machine on means and standard deviations of 20 MFCC.

python examples/svm_baseline.py [--contrast_and_chroma] --config RECIPE [OPTION …], where the recipe and the options are
those of `genre fit` and say which tracks there are and how they are split. It trains on the train tracks and is scored
on the test tracks; of a KFoldSplit, on all folds.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import cache
from statistics import mean, stdev

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import genre
from genre.audio.decode import probe, read_segment
from genre.cli.recipe import read_data
from genre.data import GenreDataModule, KFoldSplit, Track
from genre.metrics import intervals

RATE = 22050


@cache
def describe(track: Track, contrast_and_chroma: bool) -> NDArray[np.float64]:
    """``(40,)`` or ``(78,)``: the mean and the standard deviation over a track of every row of its features."""
    start, end = track.excerpt or (0.0, probe(track.path).seconds)
    samples = read_segment(track.path, RATE, round((end - start) * RATE), 0.0, track.excerpt)
    rows = [librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=20)]
    if contrast_and_chroma:
        rows.append(librosa.feature.spectral_contrast(y=samples, sr=RATE))
        rows.append(librosa.feature.chroma_stft(y=samples, sr=RATE))
    return np.concatenate([statistic for row in rows for statistic in (row.mean(1), row.std(1))])


def predict(data: GenreDataModule, contrast_and_chroma: bool) -> tuple[list[str], list[str]]:
    """The predicted and the true genres of the test tracks."""
    train, test = data.tracks("train"), data.tracks(data.test_subset)

    def inputs(tracks: Sequence[Track]) -> list[NDArray[np.float64]]:
        return [describe(track, contrast_and_chroma) for track in tracks]

    machine = make_pipeline(StandardScaler(), SVC())
    machine.fit(inputs(train), [track.genre for track in train])
    return list(machine.predict(inputs(test))), [track.genre for track in test]


def main(options: Sequence[str], contrast_and_chroma: bool) -> None:
    """Fits one machine, or one per fold, and prints the accuracy of all test tracks together."""
    data = read_data(options)
    split = data.split
    predicted: list[str] = []
    true: list[str] = []
    accuracies: list[float] = []
    for fold in range(split.folds if isinstance(split, KFoldSplit) else 1):
        if isinstance(split, KFoldSplit):
            data = read_data(options)
            data.split = KFoldSplit(split.folds, fold, split.by_artist, split.seed, split.validation)
        ours, theirs = predict(data, contrast_and_chroma)
        predicted, true = predicted + ours, true + theirs
        accuracies.append(float(np.mean([one == other for one, other in zip(ours, theirs, strict=True)])))
    classes = {name: index for index, name in enumerate(data.genres)}
    answers = torch.eye(len(classes))[[classes[name] for name in predicted]]
    low, high = intervals(answers, torch.tensor([classes[name] for name in true]))["accuracy"]
    accuracy = np.mean([one == other for one, other in zip(predicted, true, strict=True)])
    features = 78 if contrast_and_chroma else 40
    folds = (
        f", {mean(accuracies):.3f} ± {stdev(accuracies):.3f} over {len(accuracies)} folds"
        if len(accuracies) > 1
        else ""
    )
    print(
        f"SVM on {features} features of {len(true)} {data.test_subset} tracks: accuracy {accuracy:.3f} "
        f"({low:.3f} – {high:.3f}){folds}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--contrast_and_chroma", action="store_true", help="add spectral contrast and chroma")
    given, fit_options = parser.parse_known_args()
    try:
        main(fit_options, given.contrast_and_chroma)
    except genre.GenreError as error:
        sys.exit(f"svm_baseline.py: {error}")
