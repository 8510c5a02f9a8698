"""``genre ensemble``: the mean of several checkpoints on the tracks that none of them was trained on."""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from rich.progress import track as progress
from torch import Tensor

from genre.audio.decode import AudioError
from genre.checkpoint import read_checkpoint
from genre.cli.recipe import read_data
from genre.cli.run_folder import folder_of
from genre.data.datamodule import GenreDataModule
from genre.data.names import unknown_names
from genre.data.provenance import Provenance
from genre.data.track import Subset, Track
from genre.ensemble import Ensemble
from genre.errors import GenreError
from genre.predictor import load
from genre.report.callback import count
from genre.report.conditions import conditions
from genre.report.folder import print_report, write_report
from genre.report.results import Results, scores

log = logging.getLogger(__name__)


def score_ensemble(checkpoints: Sequence[Path], out: Path, fit_options: Sequence[str]) -> int:
    """``genre ensemble``: scores the mean of several checkpoints on the test tracks, and writes a report.

    Args:
        checkpoints: At least two.
        out: The report's folder.
        fit_options: Those of ``genre fit`` that say which data and which split; without a ``--config``, the
            configuration beside the first checkpoint comes first.
    """
    ensemble = Ensemble([load(path, device="cuda" if torch.cuda.is_available() else "cpu") for path in checkpoints])
    options = list(fit_options)
    own = folder_of(str(checkpoints[0]))
    if own is not None and not any(option.partition("=")[0] in ("-c", "--config") for option in options):
        options = [f"--config={own / 'config.yaml'}", *options]
    data = read_data(options)
    unknown = unknown_names(data.corpus.genres, ensemble.genres)
    if unknown:
        raise GenreError(f"the data has genre(s) that the checkpoints do not know: {', '.join(unknown)}")
    tracks = data.tracks(data.test_subset)
    provenance = [Provenance.read(read_checkpoint(checkpoint)["genre"].get("provenance")) for checkpoint in checkpoints]
    for checkpoint, known in zip(checkpoints, provenance, strict=True):
        _check_unseen(tracks, checkpoint, known, data.test_subset)
    scored, probabilities = [], []
    for track in progress(tracks, description=f"{len(checkpoints)} checkpoints", transient=True):
        found = _listen(ensemble, track, data)
        if found is not None:
            scored.append(track)
            probabilities.append(found)
    if not scored:
        raise GenreError(f"every file of the {data.test_subset} split is bad; one is {data.bad_files.first()}")
    results = Results(ensemble.genres, scored, torch.stack(probabilities).float())
    metrics = summarize(results, ensemble, data, _artists(provenance))
    write_report(out, results, metrics)
    print_report(metrics, out)
    return 0


def summarize(
    results: Results, ensemble: Ensemble, data: GenreDataModule, provenance: Provenance | None
) -> dict[str, Any]:
    """What ``metrics.json`` holds of an ensemble, under the names that a single run has."""
    networks = [predictor.network for predictor in ensemble.predictors]
    members = {
        "network": "Ensemble of " + ", ".join(type(network).__name__ for network in networks),
        "parameters": sum(count(network) for network in networks),
        "trainable": sum(count(network, trainable=True) for network in networks),
        "features": ", ".join(dict.fromkeys(type(predictor.features).__name__ for predictor in ensemble.predictors)),
    }
    return scores(results) | members | conditions(data, provenance) | {"tracks": len(results.tracks)}


def _check_unseen(tracks: Sequence[Track], checkpoint: Path, provenance: Provenance | None, subset: Subset) -> None:
    """Raises if a checkpoint was trained on one of the tracks; warns where that cannot be told."""
    if provenance is None:
        log.warning("%s does not say on which tracks it was trained", checkpoint)
        return
    seen = provenance.count(tracks)
    # That the validation tracks chose a checkpoint is said by the subset.
    total = sum(count for subset, count in seen.items() if subset == "test" or "validation" not in subset)
    if total:
        raise GenreError(
            f"{checkpoint} was trained or chosen on {total} of the {len(tracks)} {subset} tracks; an ensemble needs "
            "checkpoints of the same split of the same data"
        )


def _artists(provenance: Sequence[Provenance | None]) -> Provenance | None:
    """What all networks together heard, of which the artists are left to tell: no network heard a track."""
    known = [one.artists for one in provenance if one is not None]
    if len(known) < len(provenance):
        return None
    subsets = dict.fromkeys(chain.from_iterable(known))
    return Provenance({}, {subset: set().union(*(artists.get(subset, ()) for artists in known)) for subset in subsets})


def _listen(ensemble: Ensemble, track: Track, data: GenreDataModule) -> Tensor | None:
    """The probabilities of a track, or ``None`` for one that cannot be read, which is noted."""
    try:
        return ensemble.predict_proba(track.path, track.excerpt)
    except AudioError as error:
        data.bad_files.note(track.path, error.reason)
        return None
