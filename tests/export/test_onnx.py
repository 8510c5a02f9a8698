"""An ONNX model computes what PyTorch computes; `python -m benchmarks.onnx` tries every network."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

import genre
from genre.audio import MFCC, MelSpectrogram
from genre.audio.features import Feature
from genre.errors import GenreError
from genre.export.onnx import export_onnx, open_session
from genre.models import GaitanouCRNN, IndRNN, KhameesLSTM, KhameesMLP, WuRNN
from genre.models.layers import SameMaxPool2d
from genre.predictor import Predictor
from tests.conftest import run_cli, tone

for package in ("onnx", "onnxscript", "onnxruntime"):
    if find_spec(package) is None:
        pytest.skip(f"the extra onnx is not installed: {package}", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples/onnx_predict.py"


@pytest.fixture(scope="module")
def model(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("onnx") / "mine.onnx"
    assert run_cli("export", trained / "checkpoints/best.ckpt", out, "--format=onnx", "--int8") == 0
    return out


def test_probabilities_of_any_length_and_batch(trained: Path, model: Path) -> None:
    predictor, session = genre.load(trained / "checkpoints/best.ckpt"), open_session(model)
    for batch, seconds in ((1, 0.8), (4, 0.8), (2, 1.3), (1, 5.0)):
        waveforms = torch.from_numpy(np.stack([tone(2, index, seconds) for index in range(batch)]))
        expected = predictor.probabilities(waveforms.unsqueeze(1)).numpy()
        found = session.run(["probabilities"], {"waveforms": waveforms.numpy()})[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert abs(expected - 1 / 3).max() > 0.001  # a high temperature, but not what any network would say


def test_metadata(model: Path) -> None:
    found = open_session(model).get_modelmeta().custom_metadata_map
    assert json.loads(found["genres"]) == ["genre0", "genre1", "genre2"]
    assert (found["sample_rate"], found["segment_seconds"], found["segment_samples"]) == ("22050", "0.8", "17640")
    assert found["evaluation_segments"] == "10"


def test_int8_is_smaller(model: Path) -> None:
    assert model.with_suffix(".int8.onnx").stat().st_size < model.stat().st_size


@pytest.mark.parametrize("rate", [22050, 44100, 16000])
def test_example_without_torch(rate: int, trained: Path, model: Path, tmp_path: Path) -> None:
    """The example names the genre that the checkpoint names, and imports neither torch nor genre."""
    song = tmp_path / "song.wav"
    wave = tone(1, 77, 2.7, rate)
    wave += np.random.default_rng(0).normal(scale=0.02, size=wave.shape)  # it has all frequencies
    soundfile.write(song, wave, rate, subtype="FLOAT")
    code = f"import runpy, sys; sys.argv[1:] = {[str(model), str(song)]!r}; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__'); assert not {{'torch', 'genre'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    prediction = genre.load(trained / "checkpoints/best.ckpt").predict(song)
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines()[1:])
    assert done.stdout.splitlines()[0] == f"{song}: {prediction.genre}"
    for name, probability in prediction.probabilities.items():
        assert float(found[name]) == pytest.approx(probability, abs=1e-4)
    assert len(EXAMPLE.read_text().splitlines()) < 60


@pytest.mark.parametrize(
    ("network", "features", "any_length"),
    [
        (IndRNN(3, bands=32, units=8, layers=2), MelSpectrogram(n_fft=512, n_mels=32, mean=-40.0, std=15.0), True),
        (WuRNN(3, bands=32, units=8, layers=2), MelSpectrogram(n_fft=512, n_mels=32, mean=-40.0, std=15.0), True),
        (
            GaitanouCRNN(3, layers=2, filters=4, units=8, cell="gru"),
            MFCC(n_fft=512, n_mels=40, mean=0.0, std=20.0),
            True,
        ),
        (KhameesLSTM(3, cell="gru"), MFCC(n_mfcc=13, n_fft=512, n_mels=40, mean=0.0, std=20.0), True),
        (KhameesMLP(3, bands=13, frames=44), MFCC(n_mfcc=13, n_fft=512, n_mels=40, mean=0.0, std=20.0), False),
    ],
    ids=["IndRNN", "WuRNN", "GaitanouCRNN, GRU", "KhameesLSTM, GRU", "KhameesMLP"],
)
def test_networks(network: nn.Module, features: Feature, any_length: bool, tmp_path: Path) -> None:
    check = export_onnx(Predictor(network, features, ["a", "b", "c"], 1.0, 3), tmp_path / "x.onnx")
    assert check.any_length is any_length
    assert check.difference <= 1e-4


def test_pools_of_any_length(tmp_path: Path) -> None:
    """ONNX rounds a quotient of integers towards zero, Python downwards."""
    import onnxruntime

    pool, dynamic = SameMaxPool2d(3, 2), torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        pool, (torch.randn(1, 1, 9, 44),), input_names=["x"], dynamic_shapes=({3: dynamic},), dynamo=True, verbose=False
    )
    assert program is not None
    program.save(tmp_path / "pool.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "pool.onnx")
    for frames in (43, 44, 45, 46, 90, 91):
        x = torch.randn(1, 1, 9, frames)
        np.testing.assert_array_equal(session.run(None, {"x": x.numpy()})[0], pool(x).numpy())


class Refused(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.tensor(x.mean((1, 3)).tolist()))  # leaves the graph


def test_a_network_that_cannot_be_exported(tmp_path: Path) -> None:
    features = MelSpectrogram(n_fft=512, n_mels=32, mean=-40.0, std=15.0)
    with pytest.raises(GenreError, match="Refused cannot be exported to ONNX: ") as caught:
        export_onnx(Predictor(Refused(32, 3), features, ["a", "b", "c"], 1.0, 3), tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
