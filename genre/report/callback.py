"""What a run leaves behind: its scores with intervals, its predictions, its pictures, and one page that shows them."""

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from genre._version import __version__
from genre.classifier import GenreClassifier
from genre.data.datamodule import GenreDataModule
from genre.data.names import unknown_names
from genre.data.provenance import Provenance, artist_digests, shared_artists
from genre.report.folder import absence, print_report, write_report, write_whole
from genre.report.results import Results, scores
from genre.terminal import terminal


class Report(pl.Callback):
    """Keeps the history of a fit, and writes a report at the end of every test.

    Args:
        folder: Where the report goes; ``None``: ``report/`` in the run's log folder.

    Attributes:
        history: The metrics of every epoch.
        tested_epoch: The epoch whose weights are tested; ``None`` where that is not known.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        self.history: list[dict[str, float]] = []
        self.tested_epoch: int | None = None
        self._started = 0.0
        self._metrics: dict[str, Any] = {}
        self._written: Path | None = None

    def state_dict(self) -> dict[str, Any]:
        """The history, which a resumed fit goes on with."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the history of an interrupted fit; a test loads that of the best epoch, which is shorter."""
        self.history = max(self.history, list(state_dict["history"]), key=len)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes of which epoch the weights are that a test loads."""
        if trainer.testing:
            self.tested_epoch = int(checkpoint["epoch"])

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says in one line what is trained on what."""
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and isinstance(pl_module, GenreClassifier) and isinstance(data, GenreDataModule):
            subsets = ", ".join(f"{len(tracks)} {subset}" for subset, tracks in data.partition.items())
            unit = "segments" if data.split.leaky else "tracks"
            network = pl_module.network
            sizes = f"{count(network):,} parameters, {count(network, trainable=True):,} trainable"
            terminal().print(
                f"{type(network).__name__} ({sizes}) on {type(data).__name__}: "
                f"{len(data.genres)} genres, {subsets} {unit}",
                highlight=False,
            )
            for line in absence(absent_genres(data)):
                terminal().print(line, style="yellow", highlight=False)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._started = perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = perf_counter() - self._started
        self.history.append({"epoch": trainer.current_epoch, "seconds": round(seconds, 3), **values})

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the report."""
        data = getattr(trainer, "datamodule", None)
        folder = self.folder or (Path(trainer.log_dir) / "report" if trainer.log_dir else None)
        if not trainer.is_global_zero or folder is None or not isinstance(data, GenreDataModule):
            return
        assert isinstance(pl_module, GenreClassifier)
        predictions = pl_module.test_predictions
        assert predictions is not None
        tracks = data.tracks(data.test_subset)
        results = Results(
            pl_module.genres, [tracks[i] for i in predictions.tracks.tolist()], predictions.probabilities.cpu()
        )
        metrics = summarize(results, float(predictions.loss), pl_module, data)
        write_cost(folder, self.history, trainer)
        write_report(folder, results, metrics, data, self.history, self.tested_epoch)
        self._metrics, self._written = metrics, folder

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prints the table of a test, once its progress bar is gone."""
        if self._written is not None:
            print_report(self._metrics, self._written)
            self._written = None


def summarize(results: Results, loss: float, model: GenreClassifier, data: GenreDataModule) -> dict[str, Any]:
    """All that ``metrics.json`` holds: scores with 95 % intervals, scores by genre, and the conditions of the run."""
    network = {
        "loss": round(loss, 4),
        "network": type(model.network).__name__,
        "parameters": count(model.network),
        "trainable": count(model.network, trainable=True),
        "features": type(data.features).__name__,
    }
    return scores(results) | network | conditions(data, model.provenance) | {"tracks": len(results.tracks)}


def conditions(data: GenreDataModule, provenance: Provenance | None) -> dict[str, Any]:
    """On which data, split in which way, a classifier is scored.

    Args:
        data: The data.
        provenance: What the classifier was trained and chosen on; ``None`` where that is not known.
    """
    seen = None if provenance is None else provenance.count(data.tracks(data.test_subset))
    if seen and data.test_subset != "test":
        # That these tracks chose the checkpoint is said by the subset.
        seen |= {subset: 0 for subset in ("validation", "earlier_validation") if subset in seen}
    if provenance is None:  # then the split alone can tell
        artists = (artist_digests(data.partition["train"]), artist_digests(data.partition["validation"]))
    else:
        artists = provenance.artist_subsets()
    return {
        "data_set": type(data).__name__,
        "root": str(data.root),
        "split": {"class": type(data.split).__name__, **vars(data.split)},
        "subset": data.test_subset,
        "unit": "segments" if data.split.leaky else "tracks",
        "seed": data.seed,
        "tracks_by_subset": {
            subset: sum(track.path not in data.bad_files for track in tracks)
            for subset, tracks in data.partition.items()
        },
        "absent_genres": absent_genres(data),
        "seen": seen,
        "chosen_on": None
        if provenance is None or "validation" not in provenance.tracks
        else len(provenance.tracks["validation"]),
        "leaky": data.split.leaky or any((seen or {}).values()),
        "artists_shared": shared_artists(*artists, artist_digests(data.partition["test"])),
        "bad_files": [{"path": str(path), "reason": reason} for path, reason in data.bad_files.items()],
        "version": __version__,
    }


def absent_genres(data: GenreDataModule) -> dict[str, list[str]]:
    """The genres that have no track in a subset, by subset; a subset that has no track at all is left out."""
    there = {subset: {track.genre for track in tracks} for subset, tracks in data.partition.items() if tracks}
    absent = {str(subset): unknown_names(data.genres, found) for subset, found in there.items()}
    return {subset: genres for subset, genres in absent.items() if genres}


def write_cost(folder: Path, history: list[dict[str, float]], trainer: pl.Trainer) -> None:
    """Writes ``cost.json``: what the run took, which, unlike its metrics, differs from one time to the next."""
    cost = {
        "seconds_per_epoch": round(median(entry["seconds"] for entry in history), 2) if history else None,
        "peak_memory_mb": peak_memory(trainer.strategy.root_device),
        "device": str(trainer.strategy.root_device),
        "threads": torch.get_num_threads(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "cost.json", json.dumps(cost, indent=2) + "\n")


def peak_memory(device: torch.device) -> int | None:
    """The most memory in MB that was in use on a GPU or, on a CPU, by this process; ``None`` where it is not told."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e6)
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def count(network: nn.Module, *, trainable: bool = False) -> int:
    """The number of a network's parameters, or of those that train."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)
