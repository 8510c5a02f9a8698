"""The conditions under which a classifier is scored, and the remarks that a reader of its scores needs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genre import __version__
from genre.calibration import TARGET_ACCURACY
from genre.data.datamodule import GenreDataModule
from genre.data.names import unknown_names
from genre.data.provenance import Provenance, artist_digests, shared_artists

#: With fewer tracks than this, the bootstrap's intervals are too narrow.
FEW = 30


def conditions(data: GenreDataModule, provenance: Provenance | None) -> dict[str, Any]:
    """The data and the split that a classifier is scored on, and the number of tracks that it was trained on."""
    seen = None if provenance is None else provenance.count(data.tracks(data.test_subset))
    if seen and data.test_subset != "test":  # validation tracks choose the checkpoint; the subset's name says so
        seen |= {subset: 0 for subset in ("validation", "earlier_validation") if subset in seen}
    if provenance is None:  # only the split is known
        artists = (artist_digests(data.partition["train"]), artist_digests(data.partition["validation"]))
    else:
        artists = provenance.artist_subsets()
    chosen_on = None if provenance is None else provenance.tracks.get("validation")
    return {
        "data_set": type(data).__name__,
        "root": str(data.root),
        "split": {"class": type(data.split).__name__, **vars(data.split)},
        "subset": data.test_subset,
        "unit": scored_unit(data),
        "seed": data.seed,
        "tracks_by_subset": {
            subset: sum(track.path not in data.bad_files for track in tracks)
            for subset, tracks in data.partition.items()
        },
        "absent_genres": absent_genres(data),
        "seen": seen,
        "chosen_on": None if chosen_on is None else len(chosen_on),
        "leaky": data.split.leaky or any((seen or {}).values()),
        "artists_shared": shared_artists(*artists, artist_digests(data.partition["test"])),
        "bad_files": [{"path": str(path), "reason": reason} for path, reason in data.bad_files.items()],
        "version": __version__,
    }


def scored_unit(data: GenreDataModule) -> str:
    """The unit that is split and scored: ``tracks`` or, with a leaky split, ``segments``."""
    return "segments" if data.split.leaky else "tracks"


def scored_units(runs: Iterable[Mapping[str, Any]]) -> str:
    """The units of several runs, from the ``metrics.json`` of each: ``tracks``, ``segments``, or both."""
    units = {metrics.get("unit", "segments" if metrics.get("leaky") else "tracks") for metrics in runs}
    return " or ".join(sorted(units, reverse=True))


def absent_genres(data: GenreDataModule) -> dict[str, list[str]]:
    """The genres without a track in each subset; subsets without any track or absent genre are left out."""
    present = {subset: {track.genre for track in tracks} for subset, tracks in data.partition.items() if tracks}
    absent = {str(subset): unknown_names(data.genres, genres) for subset, genres in present.items()}
    return {subset: genres for subset, genres in absent.items() if genres}


def remarks(metrics: Mapping[str, Any]) -> list[str]:
    """Warnings for a reader of the scores in ``metrics.json``."""
    lines = []
    unit, seen = metrics["unit"], metrics["seen"]
    if unit == "segments":
        lines.append("LEAKY: segments of one track stand in several subsets; the scores are not those of unseen music.")
    if seen is None:
        lines.append("It is not known on which tracks this network was trained, if on any.")
    elif any(seen.values()):
        verbs = {
            "train": "trained",
            "validation": "chosen",
            "earlier_train": "in an earlier fit trained",
            "earlier_validation": "in an earlier fit chosen",
        }
        known = " and ".join(f"{verb} on {seen[subset]}" for subset, verb in verbs.items() if seen.get(subset))
        lines.append(
            f"LEAKY: the network was {known} of these {metrics['tracks']} {unit}; the scores are not those of unseen "
            "music."
        )
    if metrics.get("chosen_on") == 0:
        lines.append("No track chose the epoch: the network was trained without a validation subset.")
    if metrics["subset"] != "test":
        lines.append(f"The split has no test {unit}: these are the validation {unit}, which also chose the checkpoint.")
    if metrics["artists_shared"]:
        lines.append(
            f"{metrics['artists_shared']} artist(s) stand in more than one subset: expect lower scores on artists "
            "outside the training data (by_artist: true measures them)."
        )
    if pools_folds(metrics):
        lines.append(
            "Every fold was scored by a network of its own, and probabilities of different networks cannot be "
            "compared: AUC-ROC is the mean over folds."
        )
    lines += absence(metrics["absent_genres"])
    if metrics["tracks"] < FEW:
        lines.append(
            f"Only {metrics['tracks']} {unit} were scored: too few to tell much, and the intervals are too narrow."
        )
    if metrics["bad_files"]:
        lines.append(f"{len(metrics['bad_files'])} file(s) could not be read and are listed in the report.")
    return lines


def describe_calibration(metrics: Mapping[str, Any]) -> list[str]:
    """Sentences about the calibration, for a reader of the report."""
    entry, unit = metrics["calibration"], metrics["unit"]
    if "temperature" not in entry:
        return ["Every network has a temperature of its own."]
    if not entry["calibrated_on"]:
        return [f"No validation {unit} chose a temperature: the probabilities are the network's own."]
    lines = [f"The temperature is {entry['temperature']:.3g}, chosen on {entry['calibrated_on']} validation {unit}."]
    if metrics["subset"] != "test":
        lines.append(f"It was chosen on these very {unit}: expect a larger calibration error on new music.")
    if entry["threshold"] is None:
        lines.append(f"No threshold leaves validation {unit} of which {TARGET_ACCURACY:.0%} are right.")
    else:
        right = "" if entry["kept_accuracy"] is None else f", {100 * entry['kept_accuracy']:.0f} % of them right"
        lines.append(
            f"Below a probability of {entry['threshold']:.3f} a genre is better called unknown: "
            f"{entry['kept']} of {metrics['tracks']} {unit} are kept{right}."
        )
    return lines


def absence(genres: Mapping[str, Sequence[str]]) -> list[str]:
    """One sentence per subset about the genres that have no track in it."""
    consequences = {
        "train": "cannot be learned",
        "validation": "has no part in the choice of a checkpoint",
        "test": "is not scored",
    }
    return [
        f"No {subset} track of {', '.join(genres[subset])}: a genre without one {consequence}."
        for subset, consequence in consequences.items()
        if genres.get(subset)
    ]


def pools_folds(metrics: Mapping[str, Any]) -> bool:
    """Whether the scores are those of the pooled folds of a cross-validation."""
    return bool(metrics["split"].get("fold") == "all")
