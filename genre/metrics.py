"""Scores of tracks: averages the probabilities of a track's segments, and compares them with its genre."""

import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_auroc,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from genre.errors import GenreError

#: The names of the scores, as they are logged after ``val_`` and ``test_``.
SCORES = ("accuracy", "precision", "recall", "f1", "auroc")

#: The probabilities of a fold's tracks, one network per seed: ``(runs, N, classes)``, and the targets ``(N,)``.
Fold: TypeAlias = tuple[Tensor, Tensor]


class TrackPredictions(NamedTuple):
    """The predictions of a classifier for tracks.

    Attributes:
        tracks: ``(N,)`` the index of each track within its subset.
        targets: ``(N,)`` the class index of each track.
        probabilities: ``(N, classes)`` the mean over each track's segments.
        loss: The mean cross-entropy of the segments, without a temperature.
        logits: ``(S, classes)`` the logits of the segments.
        members: ``(S,)`` the track of each segment, as its place among the N tracks.
    """

    tracks: Tensor
    targets: Tensor
    probabilities: Tensor
    loss: Tensor
    logits: Tensor
    members: Tensor


def average_segments(logits: Tensor, members: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities of tracks: the mean of ``softmax(logits / temperature)`` over their segments.

    Args:
        logits: ``(S, classes)`` the logits of the segments.
        members: ``(S,)`` the track of each segment, from 0 to N - 1.
        temperature: Above 1, probabilities are more even; below 1, the highest ones are higher.

    Returns:
        ``(N, classes)`` in float32.
    """
    count = members.bincount().unsqueeze(1)
    total = torch.zeros(len(count), logits.shape[1], dtype=torch.float64, device=logits.device)
    total.index_add_(0, members, (logits.double() / temperature).softmax(1))
    return (total / count).float()


class TrackAverage(torchmetrics.Metric):
    """Collects the segments of an evaluation from all processes, and averages their probabilities per track.

    A sampler for several processes repeats segments, so that each process has the same number. Repeated segments count
    once. A track with an unreadable segment is left out.
    """

    full_state_update = False
    logits: list[Tensor] | Tensor
    targets: list[Tensor] | Tensor
    tracks: list[Tensor] | Tensor
    segments: list[Tensor] | Tensor
    bad: list[Tensor] | Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("logits", "targets", "tracks", "segments", "bad"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(
        self,
        logits: Tensor,
        targets: Tensor,
        tracks: Tensor,
        segments: Tensor,
        valid: Tensor,
        bad: Iterable[int] = (),
    ) -> None:
        """Adds a batch: ``(B, classes)`` logits, and ``(B,)`` targets and indices of tracks and segments.

        Tracks with a segment that is not ``valid`` are left out, and so are those in ``bad``, such as another excerpt
        of a bad file.
        """
        batch = {"logits": logits.float(), "targets": targets, "tracks": tracks, "segments": segments}
        for name, values in batch.items():
            getattr(self, name).append(values[valid])
        for lost in (tracks[~valid], torch.tensor([*bad], dtype=tracks.dtype, device=tracks.device)):
            getattr(self, "bad").append(lost)  # noqa: B009

    def compute(self) -> TrackPredictions:
        """The predictions, ordered by track.

        Raises:
            GenreError: No track could be read, or the network's output is NaN.
        """
        logits, targets, tracks, segments, bad = (
            torch.cat(state) if isinstance(state, list) else state
            for state in (self.logits, self.targets, self.tracks, self.segments, self.bad)
        )
        whole = ~torch.isin(tracks, bad)
        logits, targets, tracks, segments = logits[whole], targets[whole], tracks[whole], segments[whole]
        if not len(segments):
            raise GenreError("every file of the evaluated split is bad; see the lines above for each file's fault")
        order = segments.argsort(stable=True)
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = segments[order][1:] != segments[order][:-1]
        kept = order[first]
        logits, targets, tracks = logits[kept], targets[kept], tracks[kept]
        names, members = torch.unique(tracks, return_inverse=True)
        track_targets = torch.zeros_like(names).index_put_((members,), targets)
        probabilities = average_segments(logits, members)
        lost = int((~probabilities.isfinite()).any(-1).sum())
        if lost:
            raise GenreError(
                f"the network's answer is NaN for {lost} of {len(names)} tracks: the fit has diverged; lower the "
                "learning rate (model.optimizer.lr), clip gradients (trainer.gradient_clip_val: 1) or, in half "
                "precision, compute in trainer.precision: 32-true"
            )
        loss = F.cross_entropy(logits, targets)
        return TrackPredictions(names, track_targets, probabilities, loss, logits, members)


def score(probabilities: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """The five scores of a set of tracks.

    Precision, recall, F1 and AUC-ROC (one against the rest) are means over the genres that occur among ``targets``. A
    genre without a track has no score; it does not count as 0.

    Example:
        >>> score(torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]), torch.tensor([0, 1, 1]))["accuracy"]
        tensor(0.6667)

    Args:
        probabilities: ``(N, classes)``.
        targets: ``(N,)`` class indices.

    Returns:
        Scalars by the names of :data:`SCORES`.
    """
    present = targets.bincount(minlength=probabilities.shape[1]) > 0
    scores = {"accuracy": multiclass_accuracy(probabilities, targets, probabilities.shape[1], average="micro")}
    return scores | {name: value[present].mean() for name, value in score_genres(probabilities, targets).items()}


def score_genres(probabilities: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Precision, recall, F1 and AUC-ROC of every genre: ``(classes,)`` each; see :func:`score`."""
    classes = probabilities.shape[1]
    scores: dict[str, Tensor] = {
        "precision": multiclass_precision(probabilities, targets, classes, average="none"),
        "recall": multiclass_recall(probabilities, targets, classes, average="none"),
        "f1": multiclass_f1_score(probabilities, targets, classes, average="none"),
    }
    scores["auroc"] = torch.full((classes,), 0.5, device=probabilities.device)
    present = torch.unique(targets)
    if len(present) > 1:  # AUC-ROC needs tracks of another genre
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about absent genres, which score() leaves out
            scores["auroc"] = multiclass_auroc(probabilities, targets, classes, average="none")
    return scores


def intervals(
    probabilities: Tensor, targets: Tensor, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap intervals of the scores over tracks.

    Args:
        probabilities: ``(N, classes)``; or ``(runs, N, classes)``, for the intervals of the runs' mean scores.
        targets: ``(N,)`` class indices.
        resamples: The number of bootstrap samples of N tracks.
        seed: The seed of the bootstrap.

    Returns:
        Lower and upper bound by the names of :data:`SCORES`.
    """
    generator = torch.Generator().manual_seed(seed)
    runs, targets = probabilities.cpu().view(-1, *probabilities.shape[-2:]), targets.cpu()
    draws = torch.randint(len(targets), (resamples, len(targets)), generator=generator)
    times = torch.zeros(draws.shape).scatter_add_(1, draws, torch.ones(draws.shape)).T
    bounds = {}
    for name, values in _score_draws(runs, targets, times).items():
        low, high = values.mean(0).quantile(torch.tensor([0.025, 0.975]))
        bounds[name] = (float(low), float(high))
    return bounds


def _score_draws(probabilities: Tensor, targets: Tensor, times: Tensor) -> dict[str, Tensor]:
    """The scores of :func:`score` for all draws at once, ``(runs, draws)`` each; a thousand calls would take a second.

    ``probabilities`` are ``(runs, N, classes)``, ``targets`` ``(N,)``; ``times``, ``(N, draws)``, says how often each
    track was drawn.
    """
    classes = probabilities.shape[-1]
    own = F.one_hot(targets, classes).float()  # (N, classes)
    predicted = F.one_hot(probabilities.argmax(-1), classes).float()  # (runs, N, classes)
    tracks, predictions, hits = times.T @ own, times.T @ predicted, times.T @ (predicted * own)  # (…, draws, classes)
    present = tracks > 0
    by_genre = {
        "precision": hits / predictions.clamp(min=1),
        "recall": hits / tracks.clamp(min=1),
        "f1": 2 * hits / (predictions + tracks).clamp(min=1),
    }
    means = {name: (values * present).sum(-1) / present.sum(-1) for name, values in by_genre.items()}
    areas = _areas(probabilities, targets, times)  # NaN if a draw has no track, or only tracks, of a genre
    return {"accuracy": hits.sum(-1) / len(targets)} | means | {"auroc": areas.nanmean(-1).nan_to_num(0.5)}


def fold_areas(folds: Sequence[Fold]) -> Tensor:
    """AUC-ROC of every genre in every fold: ``(runs, folds, classes)``.

    It is NaN if a fold has no track of the genre, or no track of another genre. :func:`mean_area` leaves NaN out.
    """
    return torch.stack(
        [_areas(probabilities, targets, torch.ones(len(targets), 1))[:, 0] for probabilities, targets in folds], 1
    )


def mean_area(areas: Tensor) -> Tensor:
    """The mean over genres, then over folds, of ``(…, folds, classes)``.

    Probabilities are ranked only within a fold, because the networks of different folds differ in confidence.
    """
    return areas.nanmean(-1).nanmean(-1).nan_to_num(0.5)


def mean_area_interval(folds: Sequence[Fold], resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of :func:`mean_area`, averaged over runs; draws tracks within each fold."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for probabilities, targets in folds:
        draws = torch.randint(len(targets), (len(targets), resamples), generator=generator)
        times = torch.zeros(draws.shape).scatter_add_(0, draws, torch.ones(draws.shape))
        drawn.append(_areas(probabilities, targets, times))
    low, high = mean_area(torch.stack(drawn, 2)).mean(0).quantile(torch.tensor([0.025, 0.975]))
    return float(low), float(high)


def _areas(probabilities: Tensor, targets: Tensor, times: Tensor) -> Tensor:
    """AUC-ROC of every genre in every draw: ``(runs, N, classes)`` probabilities to ``(runs, draws, classes)``."""
    genres = range(probabilities.shape[-1])
    return torch.stack(
        [torch.stack([_area(run[:, genre], targets == genre, times) for genre in genres], 1) for run in probabilities]
    )


def _area(probabilities: Tensor, own: Tensor, times: Tensor) -> Tensor:
    """AUC-ROC of one genre in every draw: ``(draws,)``.

    AUC-ROC is the share of pairs (a track of the genre, a track of another genre) in which the first has the higher
    probability. A tie counts half. This way, all draws share one sort. ``own``, ``(N,)``, says whether a track is of
    the genre.
    """
    levels, places = torch.unique(probabilities, return_inverse=True)
    others = times.new_zeros(len(levels), times.shape[1]).index_add_(0, places[~own], times[~own])
    below = others.cumsum(0) - others / 2
    won = (below[places[own]] * times[own]).sum(0)
    return won / (times[own].sum(0) * times[~own].sum(0))
