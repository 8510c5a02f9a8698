"""Maps of what speaks for a genre, for every kind of network, and the sanity checks that the literature asks for."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.stats import spearmanr
from torch import nn

import genre
from genre import models
from genre.audio import MFCC, MelSpectrogram, Spectrogram
from genre.audio.recording import FileRecording
from genre.errors import GenreError
from genre.explain import attribute, decisive_stretches, explain, method_of
from genre.plots.spectrogram import plot_explanation
from genre.predictor import Predictor

from .conftest import run_cli, tone

if find_spec("captum") is None:
    pytest.skip("captum (the extra explain) is not installed", allow_module_level=True)

SPECTRAL = {"class_path": "genre.models.SpectralCNN", "init_args": {}}
#: A network of each kind, and how it is explained.
NETWORKS: dict[str, tuple[Any, str]] = {
    "SpectralCNN": (models.SpectralCNN, "gradcam"),
    "BBNN": (models.BBNN, "gradcam"),
    "GaitanouCNN": (partial(models.GaitanouCNN, bands=96, frames=160), "gradcam"),
    "YaacobCNN1D": (partial(models.YaacobCNN1D, bands=96), "gradcam"),
    "YaacobCNN2D": (models.YaacobCNN2D, "gradcam"),
    "MusiCNN": (partial(models.MusiCNN, pretrained=False), "gradcam"),
    "KhameesCNN": (partial(models.KhameesCNN, bands=96, frames=160), "gradcam"),
    "SideBySide": (partial(models.SideBySide, networks=[SPECTRAL, SPECTRAL]), "gradcam"),
    "ResNet18": (partial(models.ResNet18, pretrained=False), "gradcam"),
    "convnext": (partial(models.Backbone, name="convnext_atto", pretrained=False), "gradcam"),
    "KhameesMLP": (partial(models.KhameesMLP, bands=96, frames=160), "integrated_gradients"),
    "YaacobCRNN": (partial(models.YaacobCRNN, bands=96), "integrated_gradients"),
    "YaacobRNN": (partial(models.YaacobRNN, bands=96), "integrated_gradients"),
    "GaitanouCRNN": (models.GaitanouCRNN, "integrated_gradients"),
    "ChoiCRNN": (models.ChoiCRNN, "integrated_gradients"),
    "KhameesLSTM": (partial(models.KhameesLSTM, bands=96), "integrated_gradients"),
    "IndRNN": (partial(models.IndRNN, bands=96), "integrated_gradients"),
    "WuRNN": (partial(models.WuRNN, bands=96), "integrated_gradients"),
    "vit": (partial(models.Backbone, name="vit_tiny_patch16_224", pretrained=False), "integrated_gradients"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_is_explained(name: str) -> None:
    make, expected = NETWORKS[name]
    torch.manual_seed(0)
    network = make(3).eval()
    inputs = torch.randn(1, 1, 96, 160)
    method = method_of(network, inputs)
    assert method == expected
    found = attribute(network, inputs, 1, method)
    assert found.shape == (1, 96, 160)
    assert found.isfinite().all()
    assert found.abs().sum() > 0 or method == "gradcam"  # the positive part of random weights may be empty


class Loud(nn.Module):
    """A network that adds up the bands 8 to 16 and the frames 40 to 60, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 1, 1)
        self.convolution.weight.data.fill_(1.0)
        self.convolution.get_parameter("bias").data.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = self.convolution(x)[:, :, 8:16, 40:60].clamp(min=0).sum((1, 2, 3))
        return torch.stack([inside, -inside], 1)


def test_integrated_gradients_find_what_decides() -> None:
    inputs = torch.rand(1, 1, 32, 100)
    found = attribute(Loud(), inputs, 0, "integrated_gradients")[0]
    outside = found.clone()
    outside[8:16, 40:60] = 0
    assert float(outside.abs().max()) < 1e-6
    difference = Loud()(inputs) - Loud()(inputs.mean((2, 3), keepdim=True).expand_as(inputs))
    assert float(found.sum()) == pytest.approx(float(difference[0, 0]), abs=1e-3)  # completeness


def test_the_map_changes_with_random_weights(trained: Path, folder: Path) -> None:
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    song = FileRecording(next(folder.rglob("*.wav")))
    before = explain(predictor, song)
    torch.manual_seed(0)
    for parameter in predictor.network.parameters():
        values = parameter.data.flatten()
        parameter.data = values[torch.randperm(len(values))].view_as(parameter)
    after = explain(predictor, song, before.genre)
    correlation = spearmanr(before.maps.flatten().numpy(), after.maps.flatten().numpy()).statistic
    assert np.isnan(correlation) or abs(correlation) < 0.7


def test_stretches_are_the_sound_at_their_time(trained: Path, tmp_path: Path) -> None:
    wave = tone(1, 3, 8.0)
    soundfile.write(tmp_path / "song.wav", wave, 22050, subtype="FLOAT")
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    explanation = explain(predictor, FileRecording(tmp_path / "song.wav"))
    assert explanation.genre == predictor.predict(tmp_path / "song.wav").genre
    expected = predictor.predict(tmp_path / "song.wav").probability
    assert explanation.probability == pytest.approx(expected, abs=1e-6)
    stretches = decisive_stretches(explanation)
    assert len(stretches) == 3
    for start, samples in stretches:
        first = round(start * 22050)
        assert len(samples) == round(0.8 * 22050)
        np.testing.assert_allclose(samples[100:-100], wave[first + 100 : first + len(samples) - 100], atol=0.05)
    with pytest.raises(GenreError, match="--genre: found polka; the checkpoint knows genre0"):
        explain(predictor, FileRecording(tmp_path / "song.wav"), "polka")


def test_a_clip_shorter_than_a_segment_has_one_stretch(trained: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", tone(1, 3, 0.1), 22050, subtype="FLOAT")
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    ((start, samples),) = decisive_stretches(explain(predictor, FileRecording(tmp_path / "clip.wav")))
    assert start == 0
    np.testing.assert_allclose(samples, soundfile.read(tmp_path / "clip.wav", dtype="float32")[0], atol=1e-6)


@pytest.mark.parametrize(
    "feature", [MelSpectrogram, Spectrogram, partial(MFCC, n_mfcc=40)], ids=["mel", "linear", "mfcc"]
)
def test_axes_are_in_seconds_and_hertz(feature: Any, tmp_path: Path) -> None:
    wave = tone(0, 1, 4.0)
    soundfile.write(tmp_path / "song.wav", wave, 22050)
    features = feature(n_fft=1024, mean=0.0, std=1.0)
    predictor = Predictor(models.SpectralCNN(2), features, ["a", "b"], 2.0, 10)
    explanation = explain(predictor, FileRecording(tmp_path / "song.wav"))
    figure = plot_explanation(explanation, features, "song.wav")
    axes = figure.axes[1]
    assert axes.get_xlabel() == "time in seconds"
    assert "hertz" in axes.get_ylabel()
    assert axes.get_xlim() == pytest.approx((0, 4))
    assert f"song.wav: {explanation.genre}, probability {explanation.probability:.2f}" in figure.get_suptitle()


def test_verb_writes_picture_and_stretches(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best, song = trained / "checkpoints" / "best.ckpt", next(folder.rglob("*.wav"))
    out = tmp_path / "why" / "song.png"
    assert run_cli("explain", best, song, "--out", out) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert soundfile.info(out.with_name("song-1.wav")).duration == pytest.approx(0.8, abs=0.01)
    assert "song-1.wav: " in capsys.readouterr().out
    assert run_cli("explain", best, song, "--out", tmp_path / "song.jpg") == 1
    assert "expected a picture FILE.png" in capsys.readouterr().err
