"""Features as pictures: colours, orientation, size, and a fit of Singh and Gupta's protocol on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import matplotlib
import pytest
import torch
from matplotlib.colors import ListedColormap

import genre
from genre import GenreError
from genre.audio.spectra import Picture
from genre.benchmark.plan import read_plan
from genre.config import from_config, to_config
from genre.data import MFCC, Feature, MelSpectrogram, Spectrogram
from tests.conftest import run_cli
from tests.test_examples import EXAMPLES, options

VIRIDIS = torch.tensor(cast(ListedColormap, matplotlib.colormaps["viridis"]).colors)


def test_colours_and_orientation() -> None:
    """The least value is dark blue, the greatest yellow, half of it the middle of the map; row 0 is the lowest."""
    picture = Picture(2)(torch.tensor([[[-80.0, -40.0], [0.0, -80.0]]]))
    assert picture.shape == (3, 2, 2)
    assert torch.equal(picture[:, 1, 0], VIRIDIS[0])
    assert torch.equal(picture[:, 0, 0], VIRIDIS[255])
    assert torch.equal(picture[:, 1, 1], VIRIDIS[128])


def test_every_clip_has_its_own_range() -> None:
    clips = torch.rand(2, 1, 30, 50)
    pictures = Picture(64)(clips)
    assert pictures.shape == (2, 3, 64, 64)
    torch.testing.assert_close(Picture(64)(clips[:1]), pictures[:1])
    torch.testing.assert_close(Picture(64)(clips * 7 - 3), pictures, atol=0.02, rtol=0)
    silence = Picture(8)(torch.full((1, 1, 4, 4), -100.0))
    assert torch.equal(silence, VIRIDIS[0].view(1, 3, 1, 1).expand(1, 3, 8, 8))


@pytest.mark.parametrize("kind", [Spectrogram, MelSpectrogram, MFCC])
def test_features_as_pictures(kind: Callable[..., Feature]) -> None:
    feature = kind(n_fft=512, picture=224)
    assert feature.measured  # nothing is to be measured: every picture is painted in its own range
    waveform = 0.1 * torch.randn(2, 1, 11025)
    pictures = feature(waveform)
    assert pictures.shape == (2, 3, 224, 224)
    assert 0 <= pictures.min() < pictures.max() <= 1
    rows = kind(n_fft=512, mean=0.0, std=1.0)(waveform)
    torch.testing.assert_close(pictures, Picture(224)(rows))
    torch.testing.assert_close(feature(waveform[0, 0]), rows[0, 0])  # what a report draws
    assert from_config(to_config(feature), Feature).picture == 224


def test_no_pixel() -> None:
    with pytest.raises(GenreError, match="picture is a number of pixels, at least 1; found 0"):
        MelSpectrogram(picture=0)


@pytest.mark.parametrize(("model", "feature"), [("spectral_cnn", None), ("resnet18", "mfcc")])
def test_singh_on_pictures(model: str, feature: str | None, few_genres: Path, tmp_path: Path) -> None:
    """A fit, its test and a prediction; at 32 pixels, since 224 would take long here."""
    folder = EXAMPLES / "singh"
    arguments = [*options(folder / f"{model}.yaml", few_genres, tmp_path), f"--config={folder / 'picture.yaml'}"]
    arguments += [f"--data.features={folder / feature}.yaml"] if feature else []
    assert run_cli("fit", *arguments, "--data.features.picture=32", "--model.network.in_channels=3") == 0
    version = tmp_path / "example" / "version_0"
    metrics = json.loads((version / "report" / "metrics.json").read_text())
    assert metrics["features"] == {None: "MelSpectrogram", "mfcc": "MFCC"}[feature]
    predictor = genre.load(next((version / "checkpoints").glob("*.ckpt")))
    assert predictor.features.picture == 32
    assert sum(predictor.predict(next(few_genres.glob("*/*/*.wav"))).probabilities.values()) == pytest.approx(1)


def test_plan_of_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    plan = read_plan(EXAMPLES / "singh" / "pictures.yaml")
    assert len(plan.cells) == 9
    assert run_cli("fit", *plan.cells[8].options, "--print_config") == 0
    printed = capsys.readouterr().out
    assert "class_path: genre.audio.MFCC" in printed
    assert "picture: 224" in printed
    assert "in_channels: 3" in printed


def test_a_network_of_one_channel_says_so(few_genres: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = options(EXAMPLES / "singh" / "spectral_cnn.yaml", few_genres, tmp_path)
    assert run_cli("fit", *arguments, "--data.features.picture=32") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].endswith("SpectralCNN takes inputs of 1 channel: found 3; use a feature to fit (one channel; three "
                              "with picture), or a network that has in_channels")  # fmt: skip
