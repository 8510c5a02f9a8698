"""Temperature scaling on the folds of a benchmark: the calibration of all tracks before and after.

python examples/transfer/calibration.py BENCHMARK ROW [ROW …], where BENCHMARK is a folder such as
runs/transfer-table/version_0, and each ROW the name of a recipe in it, such as musicnn_probe. Each fold chooses a
temperature on its validation tracks; then the test tracks of all folds are scored together.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import genre
from genre.calibration import calibration_error, calibration_error_interval, choose_temperature, negative_log_likelihood
from genre.cli.quiet import quiet
from genre.cli.recipe import read_data
from genre.data import GenreDataModule
from genre.metrics import TrackAverage, TrackPredictions, average_segments


@torch.inference_mode()
def predict(predictor: genre.Predictor, data: GenreDataModule, loader: Iterable[Any]) -> TrackPredictions:
    """The predictions of a network for the tracks of a loader, without a temperature."""
    tracks = TrackAverage()
    for waveforms in loader:
        batch = data.to_inputs(waveforms)
        logits = predictor.network(batch.inputs).float()
        tracks.update(logits, batch.targets, batch.tracks, batch.segments, batch.valid, batch.faults)
    predictions: TrackPredictions = tracks.compute()
    return predictions


def predict_fold(run: Path) -> tuple[float, TrackPredictions]:
    """The temperature that the validation tracks of a run choose, and the predictions for its test tracks."""
    predictor = genre.load(run / "checkpoints" / "best.ckpt")
    # A resumed fit names its last checkpoint; no worker is worth its start for so few tracks.
    options = ["--config", str(run / "config.yaml"), "--ckpt_path=null", "--data.num_workers=0"]
    data = read_data(options)
    data.features = predictor.features
    data.setup("validate")
    data.setup("test")
    validation = predict(predictor, data, data.val_dataloader())
    temperature = choose_temperature(validation.logits, validation.members, validation.targets)
    return temperature, predict(predictor, data, data.test_dataloader())


def perfect_error(probabilities: Tensor, draws: int = 200) -> float:
    """The mean calibration error if the targets were drawn from the probabilities: few tracks never come out as 0."""
    generator = torch.Generator().manual_seed(0)
    targets = probabilities.multinomial(draws, replacement=True, generator=generator)  # (N, draws)
    return float(torch.stack([calibration_error(probabilities, column) for column in targets.T]).mean())


def main(benchmark: Path, rows: Sequence[str]) -> None:
    """Prints the calibration error with its 95 % interval, and the log-likelihood, of each row."""
    quiet()
    for row in rows:
        reports = benchmark.glob(f"cells/{row}-*-fold*-seed0/version_0/report/metrics.json")
        runs = sorted(report.parents[1] for report in reports)
        if not runs:
            raise genre.GenreError(f"{benchmark}: found no finished cell of {row}; expected the name of a row's recipe")
        folds = [predict_fold(run) for run in runs]
        temperatures = [temperature for temperature, _ in folds]
        targets = torch.cat([test.targets for _, test in folds])
        low, high = min(temperatures), max(temperatures)
        print(f"{row}: {len(targets)} tracks of {len(folds)} folds, T {low:.2f} to {high:.2f}", flush=True)
        for name, power in (("before", 0), ("after", 1)):
            probabilities = torch.cat([average_segments(test.logits, test.members, T**power) for T, test in folds])
            error, loss = calibration_error(probabilities, targets), negative_log_likelihood(probabilities, targets)
            low, high = calibration_error_interval(probabilities, targets)
            print(f"  {name}: calibration error {error:.3f} ({low:.3f} – {high:.3f}), log-likelihood {-loss:.3f}")
        print(f"  perfect probabilities: calibration error {perfect_error(probabilities):.3f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except genre.GenreError as error:
        sys.exit(f"error: {error}")
