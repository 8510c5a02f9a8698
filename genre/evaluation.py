"""Evaluation and prediction: turns the segments of a loader into scores and probabilities of tracks."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from genre.calibration import calibrate
from genre.checkpoint import Calibration, FrontEnd
from genre.data.segments import Batch
from genre.errors import GenreError
from genre.metrics import TrackAverage, TrackPredictions, average_segments, score


class TrackRows:
    """Collects the probabilities of segments; a track's row is complete with its last segment."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], list[Tensor]] = {}

    def update(self, probabilities: Tensor, batch: Batch, loader: int = 0) -> Tensor:
        """Adds the probabilities of a batch, ``(B, classes)``.

        Returns:
            ``(tracks, classes)``: the means of the tracks that this batch completes, in the loader's order. Unreadable
            segments are left out; a track with only such segments has a row of NaN.
        """
        rows = []
        missing = torch.full_like(probabilities[0], torch.nan)
        columns = (batch.tracks, batch.segment_counts, batch.valid)
        entries = zip(probabilities, *(column.tolist() for column in columns), strict=True)
        for values, track, count, valid in entries:
            if count == 0:
                raise GenreError(
                    "a train loader draws random crops, which are no prediction of a track; pass datamodule=data, "
                    "data.predict_dataloader() or data.test_dataloader()"
                )
            parts = self._waiting.setdefault((loader, track), [])
            parts.append(values if valid else missing)
            if len(parts) == count:
                rows.append(torch.stack(self._waiting.pop((loader, track))).double().nanmean(0))
        return torch.stack(rows).float() if rows else probabilities[:0]

    def finish(self, processes: int) -> None:
        """Ends the prediction; raises a :class:`~genre.GenreError` if several processes had segments of one track."""
        torn = bool(self._waiting)
        self._waiting.clear()
        if torn and processes > 1:
            raise GenreError(
                "this loader gives the segments of a track to several processes; pass datamodule=data or "
                "data.predict_dataloader(), which keep a track together"
            )


class TrackScorer(pl.LightningModule):
    """The half of :class:`genre.GenreClassifier` that scores tracks and predicts their genres.

    A subclass defines ``forward``, from ``(B, 1, frequency, time)`` features to ``(B, genres)`` logits.

    Logs ``loss`` (of segments) and ``accuracy``, ``precision``, ``recall``, ``f1`` and ``auroc`` (of tracks, see
    :func:`genre.metrics.score`), each with the prefix ``val_`` or ``test_``.

    The probabilities of a track are the mean of ``softmax(logits / temperature)`` over its segments. Every validation
    of a fit is scored with a temperature of 1, and then chooses the temperature of the weights that it has scored. All
    later scores and predictions use it, and every checkpoint stores it. ``loss`` is the cross-entropy without it.

    ``Trainer.predict`` returns one tensor of ``(tracks, genres)`` probabilities per batch. Concatenated, they have one
    row per track of ``data.tracks(data.test_subset)``, equal to the result of :meth:`genre.Predictor.predict`. A track
    without a readable segment has a row of NaN. A trained or loaded classifier keeps its features, so it also takes a
    loader of a ``GenreDataModule`` without the DataModule.

    Attributes:
        front_end: The features and segments that the weights were trained on; ``None`` before a fit.
        calibration: The temperature and the threshold of the present weights.
        val_predictions: The predictions of the last validation.
        test_predictions: The predictions of the last test.
    """

    def __init__(self) -> None:
        super().__init__()
        self.front_end: FrontEnd | None = None
        self.calibration = Calibration()
        self.val_predictions: TrackPredictions | None = None
        self.test_predictions: TrackPredictions | None = None
        self.val_tracks, self.test_tracks = TrackAverage(), TrackAverage()
        self._rows = TrackRows()

    def inputs(self, batch: Batch) -> Tensor:
        """The inputs of a batch, ``(B, 1, frequency, time)``, or embeddings ``(B, D)``.

        Without its DataModule, a loader gives waveforms ``(B, 1, samples)``; they are turned into features here.

        Raises:
            GenreError: The batch holds waveforms, and the classifier has no features.
        """
        if batch.inputs.ndim != 3:
            return batch.inputs
        if self.front_end is None:
            raise GenreError(
                "the loader gives waveforms, and this classifier knows no features yet; pass datamodule=data in place "
                "of the loader, or load the classifier from a checkpoint"
            )
        inputs: Tensor = self.front_end.features.to(batch.inputs.device)(batch.inputs)
        return inputs

    def on_train_epoch_start(self) -> None:
        """Forgets the calibration: the weights change from here on."""
        self.calibration = Calibration()

    def on_validation_epoch_start(self) -> None:
        """Forgets the segments of an evaluation that was cut short."""
        self.val_tracks.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a validation batch."""
        self._collect(self.val_tracks, batch)

    def on_validation_epoch_end(self) -> None:
        """Scores the validation tracks; in a fit, also calibrates on them."""
        fitting = self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking
        temperature = 1.0 if fitting else self.calibration.temperature
        self.val_predictions = self._log_scores("val", self.val_tracks, temperature)
        if fitting:
            self.calibrate()

    def calibrate(self) -> None:
        """Chooses the temperature and the threshold on the tracks of the last validation."""
        assert self.val_predictions is not None
        _, targets, _, _, logits, members = self.val_predictions
        self.calibration = calibrate(logits, members, targets)

    def on_test_epoch_start(self) -> None:
        """Forgets the segments of an evaluation that was cut short."""
        self.test_tracks.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects the segments of a test batch."""
        self._collect(self.test_tracks, batch)

    def on_test_epoch_end(self) -> None:
        """Scores the test tracks."""
        self.test_predictions = self._log_scores("test", self.test_tracks, self.calibration.temperature)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """``(tracks, genres)``: the probabilities of the tracks whose last segment is in the batch."""
        probabilities = (self(self.inputs(batch)).float() / self.calibration.temperature).softmax(1)
        return self._rows.update(probabilities, batch, dataloader_idx)

    def on_predict_epoch_end(self) -> None:
        """Checks that the segments of every track were in one process."""
        self._rows.finish(self.trainer.world_size)

    def _collect(self, tracks: TrackAverage, batch: Batch) -> None:
        tracks.update(self(self.inputs(batch)), batch.targets, batch.tracks, batch.segments, batch.valid, batch.faults)

    def _log_scores(self, subset: str, tracks: TrackAverage, temperature: float) -> TrackPredictions:
        found: TrackPredictions = tracks.compute()
        tracks.reset()
        # torchmetrics drops the dimension of a tensor with one element, as for a single track.
        members = found.members.view(-1)
        predictions = found._replace(
            tracks=found.tracks.view(-1),
            targets=found.targets.view(-1),
            members=members,
            probabilities=average_segments(found.logits, members, temperature),
        )
        scores = score(predictions.probabilities, predictions.targets) | {"loss": predictions.loss}
        for name, value in scores.items():
            self.log(f"{subset}_{name}", value, prog_bar=subset == "val" and name in ("accuracy", "loss"))
        return predictions
