"""Averages the probabilities of segments into one row per track."""

import torch
from torch import Tensor

from genre.data.segments import Batch
from genre.errors import GenreError


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
        entries = zip(probabilities, batch.tracks.tolist(), batch.of.tolist(), batch.valid.tolist(), strict=True)
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
        """Ends the prediction; raises a :class:`GenreError` if several processes had segments of one track."""
        torn = bool(self._waiting)
        self._waiting.clear()
        if torn and processes > 1:
            raise GenreError(
                "this loader gives the segments of a track to several processes; pass datamodule=data or "
                "data.predict_dataloader(), which keep a track together"
            )
