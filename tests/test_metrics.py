"""Scores against scikit-learn, and track averages against NumPy."""

import numpy as np
import pytest
import sklearn.metrics
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

from genre import GenreError
from genre.metrics import (
    SCORES,
    Fold,
    TrackAverage,
    fold_areas,
    intervals,
    mean_area,
    mean_area_interval,
    score,
    score_genres,
)


def random_tracks(tracks: int, classes: int, seed: int, absent: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=tracks)
    if absent is not None:
        targets[targets == absent] = (absent + 1) % classes
    logits = random.normal(size=(tracks, classes)) + 1.5 * np.eye(classes)[targets]
    return softmax(logits, 1), targets


@pytest.mark.parametrize("absent", [None, 2], ids=["all genres", "a genre without a track"])
@pytest.mark.parametrize(("tracks", "classes", "seed"), [(40, 4, 0), (130, 10, 1), (290, 10, 2), (12, 3, 3)])
def test_scores_equal_scikit_learn(tracks: int, classes: int, seed: int, absent: int | None) -> None:
    probabilities, targets = random_tracks(tracks, classes, seed, absent)
    predicted, present = probabilities.argmax(1), np.unique(targets)
    found = score(torch.from_numpy(probabilities), torch.from_numpy(targets))
    expected = {"accuracy": sklearn.metrics.accuracy_score(targets, predicted)}
    for name, function in {
        "precision": sklearn.metrics.precision_score,
        "recall": sklearn.metrics.recall_score,
        "f1": sklearn.metrics.f1_score,
    }.items():
        expected[name] = function(targets, predicted, labels=present, average="macro", zero_division=0)
    areas = [sklearn.metrics.roc_auc_score(targets == genre, probabilities[:, genre]) for genre in present]
    expected["auroc"] = np.mean(areas)
    assert tuple(found) == SCORES
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, abs=1e-6), name
    by_genre = score_genres(torch.from_numpy(probabilities), torch.from_numpy(targets))
    assert by_genre["auroc"][present].tolist() == pytest.approx(areas, abs=1e-6)


def test_one_genre_alone_has_no_rest() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    found = score(probabilities, torch.tensor([0, 0]))
    assert float(found["accuracy"]) == 0.5
    assert float(found["auroc"]) == 0.5


def test_segments_are_averaged_per_track() -> None:
    """In any order, over several batches, with a repeated and an unreadable segment."""
    random = np.random.default_rng(0)
    tracks = np.repeat([0, 1, 2, 3], [3, 1, 4, 2])
    logits = random.normal(size=(10, 5)).astype(np.float32)
    targets = np.array([4, 0, 2, 1])[tracks]
    valid = np.ones(10, bool)
    valid[tracks == 3] = False
    order = np.append(random.permutation(10), [6, 0])
    average = TrackAverage()
    for part in np.array_split(order, 3):
        average.update(
            torch.from_numpy(logits[part]),
            torch.from_numpy(targets[part]),
            torch.from_numpy(tracks[part]),
            torch.from_numpy(part),
            torch.from_numpy(valid[part]),
        )
    found = average.compute()
    assert found.tracks.tolist() == [0, 1, 2]
    assert found.targets.tolist() == [4, 0, 2]
    expected = [softmax(logits[tracks == track], 1).mean(0) for track in range(3)]
    np.testing.assert_allclose(found.probabilities.numpy(), expected, atol=1e-6)
    kept = valid.nonzero()[0]
    assert float(found.loss) == pytest.approx(-log_softmax(logits, 1)[kept, targets[kept]].mean(), abs=1e-6)


def test_partly_readable_track_does_not_count() -> None:
    """Nor do excerpts of its file, in whichever batch its fault is met."""
    tracks = torch.tensor([0, 0, 1, 1, 2, 3])
    valid = torch.tensor([True, True, True, False, True, True])
    logits, targets = torch.eye(6)[:, :3], torch.tensor([0, 0, 1, 1, 2, 0])
    average = TrackAverage()
    for part, bad in ((slice(0, 3), {}), (slice(3, 6), {1: "undecodable", 2: "undecodable"})):
        average.update(logits[part], targets[part], tracks[part], torch.arange(6)[part], valid[part], bad)
    found = average.compute()
    assert found.tracks.tolist() == [0, 3]
    assert found.targets.tolist() == [0, 0]
    kept = torch.tensor([0, 1, 5])
    assert float(found.loss) == pytest.approx(float(torch.nn.functional.cross_entropy(logits[kept], targets[kept])))


def test_nothing_readable_is_an_error() -> None:
    average = TrackAverage()
    ones = torch.ones(2, dtype=torch.long)
    average.update(torch.zeros(2, 3), ones, ones, ones, torch.zeros(2, dtype=torch.bool))
    with pytest.raises(GenreError, match="every file of the evaluated split is bad"):
        average.compute()


def test_intervals_are_percentiles_of_resampled_tracks() -> None:
    """For accuracy the bootstrap is a binomial draw, whose percentiles are known."""
    from scipy.stats import binom

    targets = torch.arange(200) % 2
    right = torch.arange(200) < 150
    probabilities = torch.nn.functional.one_hot(torch.where(right, targets, 1 - targets), 2).float()
    bounds = intervals(probabilities, targets)
    low, high = binom.ppf([0.025, 0.975], 200, 0.75) / 200
    assert bounds["accuracy"] == pytest.approx((low, high), abs=0.011)
    assert bounds == intervals(probabilities, targets)
    assert bounds.keys() == set(SCORES)


@pytest.mark.parametrize(("size", "absent"), [(3, None), (9, None), (60, 1)])
def test_intervals_are_those_of_the_scores_of_every_draw(size: int, absent: int | None) -> None:
    """Of few tracks, of which many draws have one or two genres; and of tied probabilities."""
    _, targets = random_tracks(size, 4, 1, absent)
    runs = torch.tensor(np.stack([random_tracks(size, 4, seed)[0].round(1) for seed in range(2)]))
    bounds = intervals(runs, torch.from_numpy(targets), resamples=200, seed=3)
    draws = torch.randint(size, (200, size), generator=torch.Generator().manual_seed(3))
    scores = [[score(run[draw], torch.from_numpy(targets)[draw]) for run in runs] for draw in draws]
    for name in SCORES:
        means = [np.mean([float(values[name]) for values in of_draw]) for of_draw in scores]
        assert bounds[name] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1e-6)


def random_folds(sizes: list[int], runs: int = 1) -> list[Fold]:
    """Folds of 3 genres, whose probabilities are rounded so that there are ties; one genre is not in the last fold."""
    folds = []
    for fold, size in enumerate(sizes):
        _, targets = random_tracks(size, 3, fold, absent=2 if fold == len(sizes) - 1 else None)
        said = [random_tracks(size, 3, 100 * run + fold)[0].round(1) for run in range(runs)]
        folds.append((torch.tensor(np.stack(said)), torch.from_numpy(targets)))
    return folds


def reference_area(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The macro area of scikit-learn over the genres that occur; NaN of a draw with one genre alone."""
    if len(np.unique(targets)) == 1:
        return float("nan")
    areas = [sklearn.metrics.roc_auc_score(targets == genre, probabilities[:, genre]) for genre in np.unique(targets)]
    return float(np.mean(areas))


def area_by_ranks(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The same area by the ranks of each genre's tracks (Mann and Whitney), at a fraction of the time."""
    areas = []
    for genre in np.unique(targets):
        own, ranks = targets == genre, rankdata(probabilities[:, genre])
        count, others = own.sum(), (~own).sum()
        if not others:
            return float("nan")
        areas.append((ranks[own].sum() - count * (count + 1) / 2) / (count * others))
    return float(np.mean(areas))


def test_area_over_folds_equals_scikit_learn() -> None:
    folds = random_folds([20, 31, 26, 15], runs=2)
    areas = fold_areas(folds)
    assert areas.shape == (2, 4, 3)
    assert areas[:, 3, 2].isnan().all()
    for run in range(2):
        expected = [reference_area(probabilities[run].numpy(), targets.numpy()) for probabilities, targets in folds]
        assert areas[run].nanmean(1).tolist() == pytest.approx(expected, abs=1e-6)
        assert float(mean_area(areas[run])) == pytest.approx(np.mean(expected), abs=1e-6)


def test_a_fold_of_one_genre_has_no_area() -> None:
    alone: Fold = (torch.tensor([[[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]]), torch.tensor([0, 0]))
    folds = random_folds([20, 15])
    assert mean_area(fold_areas([*folds, alone])).tolist() == mean_area(fold_areas(folds)).tolist()
    assert mean_area(fold_areas([alone])).tolist() == [0.5]


def test_interval_over_folds_equals_a_bootstrap_with_scikit_learn() -> None:
    folds = random_folds([20, 31, 26, 15], runs=2)
    random = np.random.default_rng(0)
    means = []
    for number in range(200):
        drawn = []
        for probabilities, targets in folds:
            draw = random.integers(0, len(targets), len(targets))
            pairs = [(run[draw].numpy(), targets[draw].numpy()) for run in probabilities]
            drawn += [area_by_ranks(*pair) for pair in pairs]
            if number < 10:
                expected = [reference_area(*pair) for pair in pairs]
                assert drawn[-len(pairs) :] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        means.append(np.nanmean(drawn))
    low, high = np.quantile(means, [0.025, 0.975])
    found = mean_area_interval(folds)
    assert found == pytest.approx((low, high), abs=0.015)
    assert high - low > 0.06  # far wider than what is allowed to differ
    assert found == mean_area_interval(folds)
