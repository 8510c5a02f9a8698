"""The temperature and the threshold: how they are chosen, stored and used."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import brentq, minimize

import genre
from genre.calibration import (
    PRIOR,
    SEARCH,
    calibration_error,
    calibration_error_interval,
    choose_temperature,
    choose_threshold,
)
from genre.checkpoint import Calibration, read_calibration, read_checkpoint
from genre.metrics import average_segments

from .conftest import run_cli


def sample(tracks: int, scale: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of one segment per track, ``scale`` times those that the targets are drawn by."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(tracks, 5, generator=generator)
    targets = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return scale * logits, torch.arange(tracks), targets


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_temperature_undoes_a_scale_and_lowers_the_error(scale: float) -> None:
    logits, members, targets = sample(4000, scale)
    temperature = choose_temperature(logits, members, targets)
    assert temperature == pytest.approx(scale, rel=0.08)
    before, after = (average_segments(logits, members, value) for value in (1.0, temperature))
    assert float(calibration_error(after, targets)) < 0.03
    if scale != 1:
        assert float(calibration_error(before, targets)) > 0.08


def test_temperature_is_the_best_of_a_fine_grid_for_averaged_segments() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, members = 6 * torch.randn(90, 4, generator=generator), torch.arange(90) // 3
    targets = average_segments(logits, members).argmax(1)
    targets[::2] = torch.randint(4, (15,), generator=generator)

    def loss(temperature: float) -> float:
        own = average_segments(logits, members, temperature)[torch.arange(30), targets]
        return float(-own.double().log().mean() + (np.log(temperature) / PRIOR) ** 2 / 60)

    best = min(np.geomspace(*SEARCH, 400), key=loss)
    assert loss(choose_temperature(logits, members, targets)) <= loss(best) + 1e-5


@pytest.mark.parametrize("tracks", [1, 12, 500])
def test_a_few_tracks_that_are_all_right_stay_moderate(tracks: int) -> None:
    """Two genres, logits 1 and 0, all tracks right: the derivative by log T is zero where the prior balances it."""
    logits = torch.tensor([[1.0, 0.0]]).repeat(tracks, 1)
    temperature = choose_temperature(logits, torch.arange(tracks), torch.zeros(tracks, dtype=torch.long))

    def slope(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(inverse / (1 + np.exp(inverse)) + log_temperature / PRIOR**2 / tracks)

    assert np.log(temperature) == pytest.approx(brentq(slope, -3, 0), abs=1e-3)
    confidence = float(torch.tensor([1.0, 0.0]).div(temperature).softmax(0)[0])
    assert confidence == pytest.approx({1: 0.733, 12: 0.758, 500: 0.983}[tracks], abs=0.001)
    wrong = choose_temperature(logits, torch.arange(tracks), torch.ones(tracks, dtype=torch.long))
    assert 1 < wrong < SEARCH[1]


def test_many_tracks_outweigh_the_prior() -> None:
    """The distance to the temperature of the likelihood alone falls as 1 / tracks."""

    def alone(logits: torch.Tensor, targets: torch.Tensor) -> float:
        found = minimize(
            lambda log: float(F.cross_entropy(logits.double() / np.exp(log[0]), targets)), [0.0], method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-10},
        )  # fmt: skip
        return float(found.x[0])

    distances = []
    for tracks in (40, 400, 4000):
        logits, members, targets = sample(tracks, 3.0)
        distances.append(abs(np.log(choose_temperature(logits, members, targets)) - alone(logits, targets)))
    assert distances[0] > 3 * distances[1] > 9 * distances[2]
    assert distances[2] < 0.015


def test_threshold_is_the_smallest_that_keeps_right_tracks() -> None:
    confidences = torch.tensor([0.99, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55])
    probabilities = torch.stack([confidences, 1 - confidences], 1)
    targets = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 0])
    assert choose_threshold(probabilities, targets) == pytest.approx(0.725)
    assert choose_threshold(probabilities, torch.zeros(10, dtype=torch.long)) == 0
    assert choose_threshold(probabilities, torch.ones(10, dtype=torch.long)) is None
    assert choose_threshold(probabilities, targets, accuracy=0.6) == pytest.approx(0.0)


def test_interval_of_the_error_is_that_of_resampled_tracks() -> None:
    logits, members, targets = sample(60, 3.0)
    probabilities = average_segments(logits, members)
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(60, (200, 60), generator=generator)
    errors = torch.stack([calibration_error(probabilities[draw], targets[draw]) for draw in draws])
    expected = errors.quantile(torch.tensor([0.025, 0.975])).tolist()
    assert calibration_error_interval(probabilities, targets, 200) == pytest.approx(expected, abs=1e-4)


def test_an_older_checkpoint_has_a_temperature_of_one() -> None:
    assert read_calibration({"genres": ["a", "b"]}) == Calibration(1.0, None, 0)


def test_a_fit_stores_the_temperature_and_every_verb_uses_it(trained: Path, tmp_path: Path) -> None:
    best = trained / "checkpoints" / "best.ckpt"
    saved = read_checkpoint(best)["genre"]
    calibration = read_calibration(saved)
    assert SEARCH[0] < calibration.temperature < SEARCH[1]
    assert calibration.temperature != 1
    assert saved["temperature"] == calibration.temperature
    assert calibration.calibrated_on == 6
    report = json.loads((trained / "report" / "metrics.json").read_text(encoding="utf-8"))["calibration"]
    assert report["temperature"] == calibration.temperature
    assert {"before", "after", "threshold", "calibrated_on"} <= report.keys()
    assert run_cli("test", f"--ckpt_path={best}", f"--runs_dir={tmp_path}", "--name=again") == 0
    again = tmp_path / "again" / "version_0" / "report"
    assert json.loads((again / "metrics.json").read_text(encoding="utf-8"))["calibration"] == report
    predictor = genre.load(best)
    assert predictor.calibration == calibration
    for folder in (trained / "report", again):
        with (folder / "predictions.csv").open(encoding="utf-8", newline="") as lines:
            row = next(csv.DictReader(lines))
        found = predictor.predict(row["path"]).probabilities
        assert [float(row[name]) for name in predictor.genres] == pytest.approx(
            [found[name] for name in predictor.genres], abs=1e-6
        )
