"""A report says what a reader of its scores has to know: whatever was heard before, and what was never there."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from genre import GenreClassifier, Report
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import SpectralCNN
from tests.conftest import run_cli, write_folder


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_a_checkpoint_that_is_tested_on_another_split_has_heard_some_of_it(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = trained / "checkpoints" / "best.ckpt"
    assert metrics(trained)["seen"] == {"train": 0, "validation": 0}
    assert metrics(trained)["leaky"] is False
    options = ["--ckpt_path", str(best), "--data.split.seed=5", f"--runs_dir={tmp_path}", "--name=again"]
    assert run_cli("test", *options) == 0
    found = metrics(tmp_path / "again" / "version_0")
    # The same division once more, by hand.
    data = Folder(found["root"], MelSpectrogram(), StratifiedSplit(**_arguments(trained)))
    again = Folder(found["root"], MelSpectrogram(), StratifiedSplit(**(_arguments(trained) | {"seed": 5})))
    paths = {subset: {track.path for track in tracks} for subset, tracks in data.partition.items()}
    test = {track.path for track in again.partition["test"]}
    wanted = {subset: len(paths[subset] & test) for subset in ("train", "validation")}
    assert found["seen"] == wanted
    assert found["leaky"] is True
    assert sum(wanted.values()) > 0
    page = (tmp_path / "again" / "version_0" / "report" / "index.html").read_text(encoding="utf-8")
    assert "LEAKY: the network was" in page
    assert "LEAKY: the network was" in capsys.readouterr().out


def test_a_network_without_a_record_says_so(folder: Path, tmp_path: Path) -> None:
    data = Folder(folder, MelSpectrogram(n_fft=512, n_mels=32), StratifiedSplit(), segment_seconds=0.9, num_workers=0)
    model = GenreClassifier(SpectralCNN, data.genres)
    trainer = pl.Trainer(logger=False, callbacks=[Report(tmp_path / "report")], accelerator="cpu")
    trainer.test(model, datamodule=data, verbose=False)
    assert metrics(tmp_path)["seen"] is None
    assert "It is not known on which tracks" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_artists_that_a_network_knows_are_found_in_other_music(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Folder(metrics(trained)["root"], MelSpectrogram(), StratifiedSplit(**_arguments(trained)))
    artists = {subset: {track.artist for track in tracks} for subset, tracks in data.partition.items()}
    known = min(artists["train"] - artists["validation"] - artists["test"])  # type: ignore[type-var]
    assert known is not None
    music = write_folder(tmp_path / "music", seconds=1.3)  # new recordings, of artists with new names but one
    for artist in list(music.glob("*/*")):
        artist.rename(artist.with_name("new " + artist.name))
    (music / "genre1" / "new artist11").rename(music / "genre1" / known.upper())

    def artists_to_test(seed: int) -> set[str | None]:
        split = StratifiedSplit(**(_arguments(trained) | {"seed": seed}))
        return {track.artist for track in Folder(music, MelSpectrogram(), split).partition["test"]}

    seed = next(seed for seed in range(100) if known.upper() in artists_to_test(seed))
    options = [
        "--ckpt_path", str(trained / "checkpoints" / "best.ckpt"), f"--data.root={music}", f"--runs_dir={tmp_path}"
    ]  # fmt: skip
    assert run_cli("test", *options, f"--data.split.seed={seed}", "--name=new") == 0
    report = metrics(tmp_path / "new" / "version_0")
    assert report["seen"] == {"train": 0, "validation": 0}
    assert report["artists_shared"] == metrics(trained)["artists_shared"] + 1
    assert "artist(s) stand in more than one subset" in capsys.readouterr().out


def test_a_genre_of_one_artist_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music = write_folder(tmp_path / "music")
    (music / "reggae").mkdir()
    (music / "genre0" / "artist00").rename(music / "reggae" / "Bob")
    data = Folder(
        music, MelSpectrogram(n_fft=512, n_mels=32), StratifiedSplit(0.25, 0.25, by_artist=True), segment_seconds=0.9,
        num_workers=0,
    )  # fmt: skip
    trainer = pl.Trainer(
        logger=False, max_epochs=1, callbacks=[Report(tmp_path / "report")], accelerator="cpu",
        enable_checkpointing=False, enable_progress_bar=False,
    )  # fmt: skip
    model = GenreClassifier(SpectralCNN, data.genres)
    trainer.fit(model, datamodule=data)
    assert "No test track of reggae: a genre without one is not scored." in capsys.readouterr().out
    trainer.test(model, datamodule=data, verbose=False)
    found = metrics(tmp_path)
    assert found["absent_genres"] == {"validation": ["reggae"], "test": ["reggae"]}
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "No validation track of reggae" in page
    assert "tracks were scored: too few to tell much" in page


def _arguments(run: Path) -> dict[str, Any]:
    split = metrics(run)["split"]
    return {name: value for name, value in split.items() if name != "class"}
