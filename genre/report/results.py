"""The probabilities of scored tracks, their file ``predictions.csv``, and their scores."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genre.calibration import calibration_error, calibration_error_interval, negative_log_likelihood
from genre.checkpoint import Calibration
from genre.data.names import class_indices, same_names
from genre.data.track import Track
from genre.errors import GenreError
from genre.metrics import intervals, score, score_genres

#: The columns of ``predictions.csv`` before the probabilities, one column per genre.
COLUMNS = ("path", "genre", "artist", "start", "predicted", "probability")


@dataclass(frozen=True)
class Results:
    """The scored tracks and their probabilities.

    Attributes:
        genres: The names of the classes, in order.
        tracks: The N scored tracks or, with a leaky split, excerpts of tracks.
        probabilities: ``(N, genres)``.
        uncalibrated: ``(N, genres)`` the probabilities without the temperature; ``None`` if they are unknown.
    """

    genres: list[str]
    tracks: list[Track]
    probabilities: Tensor
    uncalibrated: Tensor | None = None

    @property
    def targets(self) -> Tensor:
        """``(N,)`` the class index of each track."""
        return torch.tensor(class_indices((track.genre for track in self.tracks), self.genres), dtype=torch.long)

    @property
    def correct(self) -> Tensor:
        """``(N,)`` whether the most probable genre is the true one."""
        return self.probabilities.argmax(1) == self.targets


def scores(results: Results) -> dict[str, Any]:
    """The scores with their 95 % intervals over tracks, and the scores of each genre, as in ``metrics.json``."""
    probabilities, targets = results.probabilities, results.targets
    bounds = intervals(probabilities, targets)
    summary: dict[str, Any] = {
        name: {"value": round(float(value), 4), "low": round(bounds[name][0], 4), "high": round(bounds[name][1], 4)}
        for name, value in score(probabilities, targets).items()
    }
    by_genre = score_genres(probabilities, targets)
    counts = targets.bincount(minlength=len(results.genres))
    summary["genres"] = {
        genre: {"tracks": int(counts[index])}
        | {name: round(float(values[index]), 4) if counts[index] else None for name, values in by_genre.items()}
        for index, genre in enumerate(results.genres)
    }
    return summary


def calibration_scores(results: Results, calibration: Calibration | None = None) -> dict[str, Any]:
    """The ``calibration`` entry of ``metrics.json``.

    Args:
        results: The scored tracks.
        calibration: The temperature and the threshold of the network; ``None`` for several networks, each with its own.

    Returns:
        ``temperature``, ``threshold`` and ``calibrated_on`` of the calibration; ``error`` (the expected calibration
        error with its 95 % interval) and ``nll`` (in nats), ``before`` and ``after`` the temperature; and, with a
        threshold, ``kept`` tracks and their ``kept_accuracy``.
    """
    entry: dict[str, Any] = {} if calibration is None else calibration._asdict()
    before = results.uncalibrated
    entry["before"] = None if before is None else _quality(before, results.targets)
    entry["after"] = _quality(results.probabilities, results.targets)
    if calibration is not None and calibration.threshold is not None:
        kept = results.probabilities.amax(1) >= calibration.threshold
        entry["kept"] = int(kept.sum())
        entry["kept_accuracy"] = round(float(results.correct[kept].float().mean()), 4) if kept.any() else None
    return entry


def _quality(probabilities: Tensor, targets: Tensor) -> dict[str, Any]:
    low, high = calibration_error_interval(probabilities, targets)
    error = {"value": float(calibration_error(probabilities, targets)), "low": low, "high": high}
    return {
        "error": {name: round(value, 4) for name, value in error.items()},
        "nll": round(float(negative_log_likelihood(probabilities, targets)), 4),
    }


def pool(parts: Sequence[Results]) -> Results:
    """Concatenates the results of several folds."""
    genres = parts[0].genres
    tracks = [track for part in parts for track in part.tracks]
    if not all(same_names(part.genres, genres) for part in parts):
        raise GenreError("results of different genres cannot be pooled")
    if len({identity(track) for track in tracks}) < len(tracks):
        raise GenreError("a track was scored in two of the results that are to be pooled: folds must not overlap")
    return Results(genres, tracks, torch.cat([part.probabilities for part in parts]))


def identity(track: Track) -> tuple[str, float]:
    """Identifies a scored track, or an excerpt of a track, within its data set."""
    return str(track.path), track.excerpt[0] if track.excerpt else 0.0


def write_results(path: Path, results: Results) -> None:
    """Writes ``predictions.csv``: the file, genre, artist, prediction and probabilities of every track."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow([*COLUMNS, *results.genres])
        rows = zip(results.tracks, results.targets.tolist(), results.probabilities.tolist(), strict=True)
        for track, target, row in rows:
            best = max(range(len(row)), key=row.__getitem__)
            start = f"{track.excerpt[0]:g}" if track.excerpt else ""
            values = [f"{value:.9g}" for value in (row[best], *row)]  # all digits of a float32, or there would be ties
            genres = results.genres[target], results.genres[best]  # the data may spell a class in another way
            writer.writerow([track.path, genres[0], track.artist or "", start, genres[1], *values])


def read_results(path: Path) -> Results:
    """Reads what :func:`write_results` wrote; the ends of excerpts are not stored.

    Raises:
        GenreError: The file is missing or has other content.
    """
    if not path.is_file():
        raise GenreError(f"{path}: no such file; expected the predictions.csv of a finished run's report")
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            names, rows = list(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error):
        raise GenreError(f"{path}: found no text in UTF-8; expected the predictions.csv of a run's report") from None
    if tuple(names[: len(COLUMNS)]) != COLUMNS:
        raise GenreError(f"{path}: found the columns {', '.join(names[:6])}; expected {', '.join(COLUMNS)}, …")
    genres = names[len(COLUMNS) :]
    tracks = [
        Track(
            Path(row["path"]),
            row["genre"],
            row["artist"] or None,
            (float(row["start"]), float("inf")) if row["start"] else None,
        )
        for row in rows
    ]
    try:
        probabilities = torch.tensor([[float(row[genre]) for genre in genres] for row in rows])
    except (TypeError, ValueError):
        raise GenreError(f"{path}: a row is cut short or holds no number; test the checkpoint again") from None
    return Results(genres, tracks, probabilities)
