"""``genre ensemble``: scores the mean of several checkpoints on the tracks of a recipe."""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from genre.audio.decode import AudioError
from genre.cli.processes import choose_device
from genre.cli.recipe import read_data
from genre.data.datamodule import GenreDataModule
from genre.data.names import unknown_names
from genre.data.provenance import Provenance
from genre.data.track import Subset, Track
from genre.errors import GenreError
from genre.hub import read_classifier
from genre.prediction import AudioClassifier
from genre.predictor import Ensemble, load
from genre.report.callback import count
from genre.report.conditions import conditions
from genre.report.folder import print_report, write_report
from genre.report.results import Results, calibration_scores, scores
from genre.terminal import progress

log = logging.getLogger(__name__)


def score_ensemble(checkpoints: Sequence[Path], out: Path, fit_options: Sequence[str]) -> None:
    """Scores the mean of checkpoints of the same split on the test tracks, and writes a report to a folder.

    Without ``--config``, the options of ``genre fit`` override the configuration of the first checkpoint's run.
    """
    ensemble = Ensemble([load(path, device=choose_device()) for path in checkpoints])
    data = read_data(fit_options, checkpoints[0])
    unknown = unknown_names(data.corpus.genres, ensemble.genres)
    if unknown:
        raise GenreError(f"the data has genre(s) that the checkpoints do not know: {', '.join(unknown)}")
    tracks = data.tracks(data.test_subset)
    provenance = [Provenance.read(read_classifier(checkpoint)["genre"].get("provenance")) for checkpoint in checkpoints]
    for checkpoint, known in zip(checkpoints, provenance, strict=True):
        _check_unseen(tracks, checkpoint, known, data.test_subset)
    results = predict_tracks(ensemble, tracks, data)
    networks = [predictor.network for predictor in ensemble.predictors]
    members = {
        "network": "Ensemble of " + ", ".join(type(network).__name__ for network in networks),
        "parameters": sum(count(network) for network in networks),
        "trainable": sum(count(network, trainable=True) for network in networks),
        "features": ", ".join(dict.fromkeys(type(predictor.features).__name__ for predictor in ensemble.predictors)),
    }
    # The metrics have the same keys as those of a single run.
    more = {"calibration": calibration_scores(results), "tracks": len(results.tracks)}
    metrics = scores(results) | members | conditions(data, _merge_artists(provenance)) | more
    write_report(out, results, metrics)
    print_report(metrics, out)


def predict_tracks(classifier: AudioClassifier, tracks: Sequence[Track], data: GenreDataModule) -> Results:
    """Predicts every track that can be read, and notes the others as bad files of the data."""
    rows: list[tuple[Track, Tensor]] = []
    for track in progress(tracks, "predicting", len(tracks)):
        try:
            rows.append((track, classifier.predict_proba(track.path, track.excerpt)))
        except AudioError as error:
            data.bad_files.note(track.path, error.reason)
    if not rows:
        raise GenreError(f"every file of the {data.test_subset} split is bad; one is {data.bad_files.first()}")
    return Results(classifier.genres, [track for track, _ in rows], torch.stack([row for _, row in rows]).float())


def _check_unseen(tracks: Sequence[Track], checkpoint: Path, provenance: Provenance | None, subset: Subset) -> None:
    """Raises if a checkpoint was trained or chosen on one of the tracks; warns if its training data is unknown."""
    if provenance is None:
        log.warning("%s does not say on which tracks it was trained", checkpoint)
        return
    seen = provenance.count(tracks)
    # Scored validation tracks may have chosen the checkpoints; the report names the subset.
    total = sum(count for seen_in, count in seen.items() if subset == "test" or "validation" not in seen_in)
    if total:
        raise GenreError(
            f"{checkpoint} was trained or chosen on {total} of the {len(tracks)} {subset} tracks; an ensemble needs "
            "checkpoints of the same split of the same data"
        )


def _merge_artists(provenance: Sequence[Provenance | None]) -> Provenance | None:
    """The artists of all members' training data, without tracks: no member was trained on a scored track."""
    known = [one.artists for one in provenance if one is not None]
    if len(known) < len(provenance):
        return None
    subsets = dict.fromkeys(chain.from_iterable(known))
    return Provenance({}, {subset: set().union(*(artists.get(subset, ()) for artists in known)) for subset in subsets})
