"""The callback that records the history of a fit and writes a report after every test."""

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from genre.classifier import GenreClassifier
from genre.data.datamodule import GenreDataModule
from genre.metrics import average_segments
from genre.report.conditions import absence, absent_genres, conditions, scored_unit
from genre.report.folder import print_report, write_report, write_whole
from genre.report.results import Results, calibration_scores, scores
from genre.terminal import say


class Report(pl.Callback):
    """Records the history of a fit, and writes a report after every test.

    Args:
        folder: The folder of the report; ``None``: ``report/`` in the run's log folder.

    Attributes:
        history: The metrics of every epoch.
        training: ``batch_size``, and the highest ``learning_rate`` of the fit; empty before a fit.
        tested_epoch: The epoch whose weights are tested; ``None`` if it is unknown.

    Example:
        >>> import pytorch_lightning as pl
        >>> import genre
        >>> report = genre.Report("report")  # written at the end of trainer.test(…)
        >>> report in pl.Trainer(callbacks=[report], logger=False, accelerator="cpu").callbacks
        True
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        self.history: list[dict[str, float]] = []
        self.training: dict[str, float] = {}
        self.tested_epoch: int | None = None
        self._started = 0.0
        self._metrics: dict[str, Any] = {}
        self._written: Path | None = None

    def state_dict(self) -> dict[str, Any]:
        """Returns the history and the settings of the fit, which a resumed fit continues."""
        return {"history": self.history, "training": self.training}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the history of a resumed fit; ignores the shorter history that a test of the best epoch loads."""
        if len(state_dict["history"]) > len(self.history):
            self.history = list(state_dict["history"])
            self.training = dict(state_dict.get("training", {}))  # an earlier version saved none

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Stores the epoch of the weights that a test loads."""
        if trainer.testing:
            self.tested_epoch = int(checkpoint["epoch"])

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prints a line about the network and the data."""
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and isinstance(pl_module, GenreClassifier) and isinstance(data, GenreDataModule):
            subsets = ", ".join(f"{len(tracks)} {subset}" for subset, tracks in data.partition.items())
            network = pl_module.network
            sizes = f"{count(network):,} parameters, {count(network, trainable=True):,} trainable"
            say(
                f"{type(network).__name__} ({sizes}) on {type(data).__name__}: "
                f"{len(data.genres)} genres, {subsets} {scored_unit(data)}"
            )
            for line in absence(absent_genres(data)):
                say(line, "yellow")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._started = perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stores the batch size and the highest learning rate, which a schedule may change with every batch."""
        rates = [float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups]
        self.training["learning_rate"] = max(self.training.get("learning_rate", 0.0), *rates)
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, GenreDataModule):
            self.training["batch_size"] = data.batch_size

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
            pl_module.genres,
            [tracks[i] for i in predictions.tracks.tolist()],
            predictions.probabilities.cpu(),
            average_segments(predictions.logits, predictions.members).cpu(),
        )
        metrics = run_metrics(results, float(predictions.loss), pl_module, data)
        write_cost(folder, self.history, trainer)
        write_report(folder, results, metrics, data, self.history, self.tested_epoch, self.training)
        self._metrics, self._written = metrics, folder

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Prints the table of a test, once its progress bar is gone."""
        if self._written is not None:
            print_report(self._metrics, self._written)
            self._written = None


def run_metrics(results: Results, loss: float, model: GenreClassifier, data: GenreDataModule) -> dict[str, Any]:
    """The content of ``metrics.json``: scores with 95 % intervals, scores by genre, and the conditions of the run."""
    network = {
        "loss": round(loss, 4),
        "network": type(model.network).__name__,
        "parameters": count(model.network),
        "trainable": count(model.network, trainable=True),
        "features": type(data.features).__name__,
    }
    calibration = {"calibration": calibration_scores(results, model.calibration)}
    tracks = {"tracks": len(results.tracks)}
    return scores(results) | calibration | network | conditions(data, model.provenance) | tracks


def write_cost(folder: Path, history: list[dict[str, float]], trainer: pl.Trainer) -> None:
    """Writes time and memory to ``cost.json``, apart from the metrics, because they are not reproducible."""
    seconds = [entry["seconds"] for entry in history]
    cost = {
        "seconds_per_epoch": round(median(seconds), 2) if seconds else None,
        "peak_memory_mb": peak_memory(trainer.strategy.root_device),
        "device": str(trainer.strategy.root_device),
        "threads": torch.get_num_threads(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "cost.json", json.dumps(cost, indent=2) + "\n")


def peak_memory(device: torch.device) -> int | None:
    """The peak memory of a GPU or, on a CPU, of this process in MB; ``None`` if it is unknown."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e6)
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def count(network: nn.Module, *, trainable: bool = False) -> int:
    """The number of a network's parameters, or of its trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)
