"""The steps of CONTRIBUTING.md, followed to the letter with classes of one's own."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from genre.audio import MelSpectrogram
from genre.data import StratifiedSplit
from genre.errors import GenreError, SizeError

from .conftest import run_cli, tone

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [textwrap.dedent(block) for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Files named as the page's data set wants them."""
    root = tmp_path / "music"
    root.mkdir()
    for genre in range(2):
        for track in range(8):
            name = f"genre{genre}__artist{track // 2}__song{track}.wav"
            soundfile.write(root / name, tone(genre, track, 1.0), 22050)
    return root


def written(name: str, code: str, folder: Path) -> None:
    (folder / f"{name}.py").write_text(code)


def test_fit(tmp_path: Path, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network and the data set of the page, by their full names from the current folder."""
    monkeypatch.chdir(tmp_path)
    network, _, data = blocks("python")
    written("page_network", network, tmp_path)
    written("page_data", data, tmp_path)
    options = {
        "model.network": "page_network.TinyNet",
        "data": "page_data.Pairs",
        "data.root": music,
        "data.features": "MelSpectrogram",
        "data.split": "StratifiedSplit",
        "data.split.by_artist": "true",
        "data.split.test": 0.25,
        "data.segment_seconds": 0.8,
        "data.num_workers": 0,
        "name": "page",
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": "false",
    }
    assert run_cli("fit", *(f"--{name}={value}" for name, value in options.items())) == 0
    metrics = json.loads((tmp_path / "runs/page/version_0/report/metrics.json").read_text())
    assert (metrics["data_set"], metrics["parameters"], metrics["artists_shared"]) == ("Pairs", 1218, 0)
    assert sum(metrics["tracks_by_subset"].values()) == 16


def test_empty_folder(tmp_path: Path) -> None:
    scope: dict[str, Any] = {}
    exec(blocks("python")[2], scope)
    data = scope["Pairs"](tmp_path, features=MelSpectrogram(), split=StratifiedSplit())
    with pytest.raises(GenreError, match="found no file <genre>__<artist>__<title>"):
        data.read_corpus()


def test_network() -> None:
    scope: dict[str, Any] = {}
    exec(blocks("python")[0], scope)
    network = scope["TinyNet"](10)
    assert sum(weights.numel() for weights in network.parameters()) == 1738
    assert network(torch.zeros(2, 1, 64, 130)).shape == (2, 10)
    with pytest.raises(SizeError, match="found 3"):
        network(torch.zeros(2, 3, 64, 130))


def test_feature() -> None:
    scope: dict[str, Any] = {}
    exec(blocks("python")[1], scope)
    waveform = torch.from_numpy(tone(0, 0, 1.0))
    energy = scope["Energy"](mean=0.0, std=1.0)(waveform[None, None])
    frames = waveform.numpy()[: 43 * 512].reshape(43, 512).astype(np.float64)
    np.testing.assert_allclose(energy[0, 0, 0], 10 * np.log10((frames**2).mean(1)), atol=1e-4)


def test_files_that_the_page_names() -> None:
    root = Path(__file__).parents[1]
    for name in re.findall(r"`((?:genre|tests|examples)/[\w/]+\.(?:py|yaml))`", PAGE):
        assert (root / name).is_file() or name in ("genre/models/tiny.py", "examples/tiny.yaml", "genre/data/pairs.py")
