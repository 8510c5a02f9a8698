"""Spellings of one artist and of one genre, through the command line."""

import csv
import json
import shutil
import unicodedata
from pathlib import Path

import pytest
import pytorch_lightning as pl
import soundfile

import genre
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.models import SpectralCNN

from ..conftest import QUICK, run_cli, tone, without_pictures, write_folder


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def metrics_of(run: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def spelt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres of 18 tracks by four artists, of which one is spelt in three ways and another in two."""
    root = tmp_path_factory.mktemp("spelt")
    (root / "é").mkdir()
    if (root / nfd("é")).exists():
        pytest.skip("this file system knows one form only")
    (root / "é").rmdir()
    spellings = (("Beyoncé", nfd("Beyoncé"), "BEYONCÉ"), ("The Band", "the  band", "Ella", "Nina"))
    for index in range(2):
        for number, name in enumerate(name for names in spellings for name in names * 2):
            path = root / f"genre{index}" / f"{name}{index}" / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(index, number, 1.0), 22050, subtype="PCM_16")
    return root


def test_no_artist_on_two_sides_of_a_fit(spelt: Path, tmp_path: Path) -> None:
    for seed in range(3):
        options = [*QUICK, f"--data.root={spelt}", f"--data.split.seed={seed}", f"--runs_dir={tmp_path}"]
        assert run_cli("fit", *options) == 0
        run = tmp_path / "SpectralCNN" / f"version_{seed}"
        metrics = metrics_of(run)
        assert (metrics["artists_shared"], metrics["leaky"]) == (0, False)
        data = Folder(spelt, MelSpectrogram(), StratifiedSplit(test=0.25, by_artist=True, seed=seed))
        subsets = [{unicodedata.normalize("NFC", track.path.parent.name).casefold().replace("  ", " ") for track in tracks}
                 for tracks in data.partition.values()]  # fmt: skip
        assert sum(map(len, subsets)) == len(set().union(*subsets)) == 8


def test_a_random_split_counts_shared_artists_by_their_key(spelt: Path, tmp_path: Path) -> None:
    options = [*QUICK, f"--data.root={spelt}", "--data.split.by_artist=false", f"--runs_dir={tmp_path}"]
    assert run_cli("fit", *options) == 0
    data = Folder(spelt, MelSpectrogram(), StratifiedSplit(test=0.25))
    places: dict[str, set[str]] = {}
    for subset, tracks in data.partition.items():
        for track in tracks:
            key = unicodedata.normalize("NFC", track.path.parent.name).casefold().replace("  ", " ")
            places.setdefault(key, set()).add(subset)
    shared = sum(len(there) > 1 for there in places.values())
    assert metrics_of(tmp_path / "SpectralCNN" / "version_0")["artists_shared"] == shared > 2


def test_audit_counts_artists_by_their_key(spelt: Path, tmp_path: Path) -> None:
    assert run_cli("audit", str(spelt), f"--out={tmp_path}") == 0
    with (tmp_path / "genres.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["artists"], row["largest_share"]) for row in rows] == [("4", "0.429")] * 2


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("Café", nfd("Café"), r"(Caf\xe9)"),
        ("Rock", "rock", "'rock'"),
        ("hip hop", "Hip  Hop", "'Hip  Hop'"),
        ("hip hop", "hip\u00a0hop", r"(hip\xa0hop)"),
        ("pop", "pop\u200b", r"(pop\u200b)"),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["Folder", "CSV"])
def test_doubled_genre_is_one_line_before_anything_is_trained(
    tmp_path: Path, one: str, other: str, shown: str, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    music = tmp_path / "music"
    write_folder(music, tracks=4, seconds=0.5)
    for number, name in enumerate((one, other)):
        (music / f"genre{number}").rename(music / name)
    if len(list(music.iterdir())) < 3:
        pytest.skip("this file system does not tell these names apart")
    root, options = music, []
    if listed:
        root, options = tmp_path / "tracks.csv", ["--data=genre.data.CSV"]
        with root.open("w", encoding="utf-8", newline="") as lines:
            rows = [(path.relative_to(tmp_path), path.parts[-3]) for path in sorted(music.rglob("*.wav"))]
            csv.writer(lines).writerows([("path", "genre"), *rows])
    for verb in (
        ["fit", *QUICK, *options, f"--data.root={root}", f"--runs_dir={tmp_path / 'runs'}"],
        ["audit", str(root), f"--out={tmp_path / 'audit'}"],
    ):
        assert run_cli(*verb) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genre: error")]
        assert line.startswith(f"genre: error: {root}: found one genre in 2 spellings, ")
        assert f"'{one}'" in line
        assert f"'{other}'" in line
        assert shown in line
        assert line.endswith("so that all tracks of the genre have the same spelling")
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "audit").exists()


def test_exclusion_may_leave_one_spelling(tmp_path: Path) -> None:
    write_folder(tmp_path / "music", tracks=4)
    (tmp_path / "music" / "genre1").rename(tmp_path / "music" / "GENRE0")
    paths = [str(path) for path in (tmp_path / "music" / "GENRE0").rglob("*.wav")]
    (tmp_path / "list.txt").write_text("\n".join(paths))
    split = StratifiedSplit()
    data = Folder(tmp_path / "music", MelSpectrogram(), split, exclude=tmp_path / "list.txt")
    assert data.genres == ["genre0", "genre2"]


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on the genres ``Café``, ``Hip Hop`` and ``genre2``, and the same music with the names spelt otherwise."""
    base = tmp_path_factory.mktemp("renamed")
    music = write_folder(base / "music")
    shutil.copytree(music, base / "other")
    for root, names in ((music, ("Café", "Hip Hop")), (base / "other", (nfd("Café"), "Hip  HOP"))):
        for number, name in enumerate(names):
            (root / f"genre{number}").rename(root / name)
    options = [
        *QUICK,
        f"--data.root={music}",
        f"--runs_dir={base}",
        "--trainer.max_epochs=2",
        "--model.class_weights=balanced",
    ]
    with without_pictures():
        assert run_cli("fit", *options) == 0
    return base / "SpectralCNN" / "version_0", base / "other"


def test_checkpoint_knows_its_genres_in_any_spelling(renamed: tuple[Path, Path], tmp_path: Path) -> None:
    run, other = renamed
    best = run / "checkpoints" / "best.ckpt"
    assert run_cli("test", f"--ckpt_path={best}", f"--data.root={other}", f"--runs_dir={tmp_path}", "--name=a") == 0
    ours, theirs = (metrics_of(folder) for folder in (run, tmp_path / "a" / "version_0"))
    for name in ("accuracy", "auroc", "loss", "genres", "absent_genres"):
        assert theirs[name] == ours[name]
    with (tmp_path / "a" / "version_0" / "report" / "predictions.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["genre"] for row in rows} == {"Café", "Hip Hop", "genre2"}  # as in the columns
    assert {row["predicted"] for row in rows} <= {"Café", "Hip Hop", "genre2"}
    assert run_cli("ensemble", str(best), str(best), f"--data.root={other}", f"--out={tmp_path / 'e'}") == 0
    assert json.loads((tmp_path / "e" / "metrics.json").read_text(encoding="utf-8"))["accuracy"] == ours["accuracy"]
    assert run_cli("compare", str(run), str(run)) == 0


def test_checkpoint_goes_on_in_any_spelling(renamed: tuple[Path, Path], tmp_path: Path) -> None:
    run, other = renamed
    last = run / "checkpoints" / "last.ckpt"
    options = [f"--ckpt_path={last}", f"--data.root={other}", "--trainer.max_epochs=3"]
    assert run_cli("fit", *options, f"--runs_dir={tmp_path}", "--name=more") == 0
    assert metrics_of(tmp_path / "more" / "version_0")["artists_shared"] == 0


def test_classifier_from_data_in_another_spelling_takes_the_checkpoint(renamed: tuple[Path, Path]) -> None:
    run, other = renamed
    features = MelSpectrogram(n_fft=512, hop_length=256, n_mels=32)
    data = Folder(other, features, StratifiedSplit(test=0.25, by_artist=True), 0.8, num_workers=0)
    classifier = genre.GenreClassifier(SpectralCNN, ["CAFÉ", "hip hop", "Genre2"])
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False, enable_checkpointing=False)
    best = run / "checkpoints" / "best.ckpt"
    (scores,) = trainer.test(classifier, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    ours = metrics_of(run)["accuracy"]
    assert scores["test_accuracy"] == pytest.approx(ours["value"], abs=1e-4)  # type: ignore[index]
