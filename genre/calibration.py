"""Calibration: a temperature that makes probabilities mean what they say, and a threshold for unknown genres.

Papers: Guo et al., "On calibration of modern neural networks" (ICML 2017), for temperature scaling and the expected
calibration error; Chow, "On optimum recognition error and reject tradeoff" (1970), for the threshold.
"""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from genre.checkpoint import Calibration
from genre.metrics import average_segments

#: The standard deviation of the prior of log T around 0. With few tracks, it keeps the temperature close to 1: all of
#: them may be right by chance, and the tracks of an artist are right or wrong together. The value has the smallest
#: negative log-likelihood in a cross-validation by artist, see docs/pages/calibration.md.
PRIOR = 0.2

#: The temperatures that the search covers.
SEARCH = (0.05, 20.0)

#: The share of the kept validation tracks that have to be right above the threshold, and their smallest number.
TARGET_ACCURACY, MIN_TRACKS = 0.9, 5

#: The number of equal bins of the probability, from 0 to 1, for the calibration error and the reliability diagram.
BINS = 10


def calibrate(logits: Tensor, members: Tensor, targets: Tensor) -> Calibration:
    """Chooses the temperature and the threshold on validation tracks.

    Args:
        logits: ``(S, classes)`` the logits of all segments.
        members: ``(S,)`` the track of each segment, from 0 to N - 1.
        targets: ``(N,)`` the class index of each track.
    """
    temperature = choose_temperature(logits, members, targets)
    threshold = choose_threshold(average_segments(logits, members, temperature), targets)
    return Calibration(temperature, threshold, calibrated_on=len(targets))


def choose_temperature(logits: Tensor, members: Tensor, targets: Tensor) -> float:
    """The temperature T with the smallest penalised negative log-likelihood of the tracks.

    A track's probabilities are the mean of ``softmax(logits / T)`` over its segments. With N tracks, T minimises ::

        mean negative log-likelihood + (log T / PRIOR)² / (2 N)

    which is the most probable T under a log-normal prior around 1. The weight of the likelihood grows with N, that of
    the prior does not: with many tracks, the prior hardly matters.

    Args:
        logits: ``(S, classes)`` the logits of all segments.
        members: ``(S,)`` the track of each segment.
        targets: ``(N,)`` the class index of each track.
    """
    logits, members, targets = logits.cpu().double(), members.cpu(), targets.cpu()

    def loss(log_temperature: float) -> float:
        probabilities = average_segments(logits, members, math.exp(log_temperature))
        penalty = (log_temperature / PRIOR) ** 2 / (2 * len(targets))
        return float(negative_log_likelihood(probabilities, targets)) + penalty

    # The mean over segments can have several minima: the search begins around the best point of a grid.
    grid = torch.linspace(math.log(SEARCH[0]), math.log(SEARCH[1]), 24, dtype=torch.float64).tolist()
    best = min(range(len(grid)), key=lambda index: loss(grid[index]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-4})
    return math.exp(float(found.x))


def choose_threshold(
    probabilities: Tensor, targets: Tensor, accuracy: float = TARGET_ACCURACY, min_tracks: int = MIN_TRACKS
) -> float | None:
    """The smallest threshold of the highest probability above which tracks are right often enough.

    Args:
        probabilities: ``(N, classes)``.
        targets: ``(N,)`` class indices.
        accuracy: The share of the kept tracks whose most probable genre has to be the true one. A track is kept if its
            highest probability is at least the threshold.
        min_tracks: The smallest number of kept tracks.

    Returns:
        0 if all tracks are kept, otherwise halfway between the last kept track and the next one; ``None`` if no
        threshold reaches the accuracy.
    """
    levels, kept, right = coverage(probabilities, targets)
    enough = ((right / kept >= accuracy) & (kept >= min(min_tracks, len(targets)))).nonzero()
    if not len(enough):
        return None
    last = int(enough[-1])
    return 0.0 if last == len(levels) - 1 else float(levels[last] + levels[last + 1]) / 2


def coverage(probabilities: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How many tracks a threshold keeps, and how many of them are right.

    Args:
        probabilities: ``(N, classes)``.
        targets: ``(N,)`` class indices.

    Returns:
        Three tensors ``(levels,)``: the distinct highest probabilities, in falling order; for each of them as a
        threshold, the number of kept tracks, and the number of kept tracks whose most probable genre is the true one.
    """
    confidences, predicted = probabilities.double().max(1)
    levels, places = torch.unique(confidences, return_inverse=True)
    counts = torch.stack([torch.ones_like(confidences), (predicted == targets).double()], 1)
    by_level = counts.new_zeros(len(levels), 2).index_add_(0, places, counts)
    kept, right = by_level.flip(0).cumsum(0).unbind(1)
    return levels.flip(0), kept, right


def negative_log_likelihood(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The mean over tracks of the negative logarithm of the true genre's probability, in nats."""
    own = probabilities.double().gather(1, targets[:, None])
    return -own.clamp(min=1e-12).log().mean()


def calibration_error(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Expected calibration error: the mean distance between probability and accuracy over :data:`BINS` bins.

    Args:
        probabilities: ``(N, classes)``.
        targets: ``(N,)`` class indices.
    """
    return multiclass_calibration_error(probabilities, targets, probabilities.shape[1], n_bins=BINS, norm="l1")


def calibration_error_interval(
    probabilities: Tensor, targets: Tensor, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of :func:`calibration_error` over tracks.

    Args:
        probabilities: ``(N, classes)``.
        targets: ``(N,)`` class indices.
        resamples: The number of bootstrap samples of N tracks.
        seed: The seed of the bootstrap.
    """
    confidences, predicted = probabilities.max(1)
    gaps = (confidences - (predicted == targets).float()).cpu()
    in_bin = torch.nn.functional.one_hot(bins(confidences).cpu(), BINS).float()  # (N, BINS)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(len(targets), (resamples, len(targets)), generator=generator)
    times = torch.zeros(draws.shape).scatter_add_(1, draws, torch.ones(draws.shape))  # (resamples, N)
    errors = ((times * gaps) @ in_bin).abs().sum(1) / len(targets)
    low, high = errors.quantile(torch.tensor([0.025, 0.975]))
    return float(low), float(high)


def bins(confidences: Tensor) -> Tensor:
    """``(N,)`` the bin of each highest probability, as torchmetrics counts it: a boundary belongs to the bin above."""
    edges = torch.linspace(0, 1, BINS + 1, dtype=confidences.dtype, device=confidences.device)
    return (torch.bucketize(confidences, edges, right=True) - 1).clamp(max=BINS - 1)
