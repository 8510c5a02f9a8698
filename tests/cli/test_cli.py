"""The command line: what it prints, what it leaves behind, and how it states a mistake."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
import torch

from genre.cli.classes import class_paths
from genre.cli.help_page import CLASSES
from genre.data.gtzan import fault_filtered_split
from genre.data.track import SUBSETS, Subset
from genre.predictor import load

from ..conftest import QUICK, run_cli, tone, write_folder, write_gtzan


def test_help_is_quick_and_lists_the_verbs() -> None:
    code = "import sys; from genre.cli import main\ntry: main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    verbs = ("fit", "validate", "test", "predict", "benchmark", "compare", "ensemble", "figures", "audit")
    for verb in verbs:
        assert f"\n    {verb} " in done.stdout  # and what it does on the same line
    assert seconds < 10  # without torch it is under 0.1 s; the bound only tells it from an import of everything


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(verb, "--help-all") == 0
    output = capsys.readouterr().out
    assert output.startswith(f"usage: genre {verb} [OPTION]")
    for option in ("--model.network", "--data", "--checkpoint.monitor", "--name", "--ckpt_path"):
        assert option in output
    assert "genre.models.ResNet18" in output
    assert "torch.nn" not in output.replace("\n", "")  # nor any other of the thousand modules that are imported
    assert "--data.help Folder" in output
    assert output.index("--model.lr:") < output.index("--data.batch_size:") < output.index("--trainer.max_epochs:")


@pytest.mark.parametrize("verb", ["fit", "validate", "test"])
def test_help_is_one_screen_without_torch(verb: str) -> None:
    code = (
        f"import sys; from genre.cli import main\ntry: main(['{verb}', '--help'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 110
    for option in ("--config", "--ckpt_path", "--model.network", "--model.lr", "--data", "--data.root", "--name"):
        assert any(f"{option} " in line for line in lines)


def test_help_names_the_classes_of_this_library() -> None:
    """The page is printed without an import of them."""
    for option, names in CLASSES.items():
        assert sorted(names) == sorted(class_paths(option))


def test_help_of_a_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("fit", "--data.help", "Folder") == 0
    assert "usage: genre " in (output := capsys.readouterr().out)
    assert "--data.segment_seconds" in output
    assert run_cli("fit", "--model.network.help", "ResNet18") == 0
    assert "--model.network.pretrained" in capsys.readouterr().out
    assert run_cli("fit", "--data.help", "GTZAN") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 80
    assert next(index for index, line in enumerate(lines) if "--data.num_workers" in line) < 30
    assert run_cli("fit", "--data.help", "GTZAM") == 2
    assert "--data.help: found 'GTZAM'" in capsys.readouterr().err


def test_no_data_in_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("fit", *QUICK, f"--data.root={tmp_path}") == 1
    assert "found no audio file in its sub-folders" in capsys.readouterr().err
    assert run_cli("fit", *QUICK, "--data=genre.data.GTZAN", f"--data.root={tmp_path}") == 1
    assert "found no folder of a GTZAN genre" in capsys.readouterr().err


def test_more_genres_than_the_checkpoint(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "more", genres=4)
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    assert run_cli("test", *QUICK, f"--data.root={tmp_path / 'more'}", checkpoint, f"--runs_dir={tmp_path}") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "1 genre(s) that the model does not know: genre3; it knows genre0, genre1, genre2" in line


def test_fewer_genres_than_the_checkpoint(trained: Path, tmp_path: Path) -> None:
    """A catalogue without one of the genres is scored with the checkpoint's own order of classes."""
    write_folder(tmp_path / "fewer", genres=3)
    for path in (tmp_path / "fewer" / "genre0").rglob("*.wav"):
        path.unlink()
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    assert run_cli("test", *QUICK, f"--data.root={tmp_path / 'fewer'}", checkpoint, f"--runs_dir={tmp_path}") == 0
    metrics = json.loads((tmp_path / "SpectralCNN/version_0/report/metrics.json").read_text())
    assert metrics["genres"]["genre0"] == {"tracks": 0, "precision": None, "recall": None, "f1": None, "auroc": None}
    assert metrics["recall"]["value"] == pytest.approx(
        (metrics["genres"]["genre1"]["recall"] + metrics["genres"]["genre2"]["recall"]) / 2, abs=1e-3
    )


def test_other_features_than_the_checkpoint(trained: Path, folder: Path, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    options = (f"--data.root={folder}", checkpoint, "--data.features.n_mels=40", f"--runs_dir={tmp_path}")
    assert run_cli("test", *QUICK, *options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "n_mels=32" in line
    assert "n_mels=40" in line


def test_another_data_set_is_heard_as_the_checkpoint_was_trained(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same tracks, as a list: the features keep the checkpoint's statistics, which are not measured again."""
    with (tmp_path / "list.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "genre", "artist"])
        for path in sorted(folder.rglob("*.wav")):
            if "song0" in path.name or "song2" in path.name or "song4" in path.name:
                writer.writerow([path, path.parts[-3], path.parts[-2]])
    options = ("--data=genre.data.CSV", f"--data.root={tmp_path / 'list.csv'}", f"--runs_dir={tmp_path / 'runs'}")
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    assert run_cli("test", *QUICK, *options, checkpoint) == 0
    predictor = load(trained / "checkpoints/best.ckpt")
    with (tmp_path / "runs/SpectralCNN/version_0/report/predictions.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            assert predictor.predict(row["path"]).probability == pytest.approx(float(row["probability"]), abs=2e-6)
    assert run_cli("test", *QUICK, *options, checkpoint, "--data.features.n_mels=40") == 1
    assert "was trained on MelSpectrogram" in capsys.readouterr().err


def test_checkpoint_brings_its_configuration(trained: Path, folder: Path, tmp_path: Path) -> None:
    """Without --config, the one beside the checkpoint counts; only what differs has to be said."""
    checkpoint = f"--ckpt_path={trained / 'checkpoints/best.ckpt'}"
    assert run_cli("test", checkpoint, f"--runs_dir={tmp_path}") == 0
    again = json.loads((tmp_path / "SpectralCNN/version_0/report/metrics.json").read_text())
    first = json.loads((trained / "report/metrics.json").read_text())
    assert again == first


def test_what_a_fit_leaves_behind(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert {"config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= files
    assert any(name.startswith("events.out.tfevents") for name in files)
    report = {"metrics.json", "predictions.csv", "index.html", "inputs.png"}
    report |= {"confusion_matrix.png", "roc.png", "learning_curves.png"}
    assert {f"report/{name}" for name in report} <= files
    best = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    assert best["genre"]["genres"] == ["genre0", "genre1", "genre2"]


def test_without_a_monitor_the_last_epoch_is_tested(folder: Path, tmp_path: Path) -> None:
    options = [*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--trainer.max_epochs=3"]
    assert run_cli("fit", *options, "--checkpoint.monitor=null") == 0
    checkpoints = tmp_path / "SpectralCNN" / "version_0" / "checkpoints"
    best, last = (torch.load(checkpoints / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert best["epoch"] == last["epoch"] == 2
    for name, value in last["state_dict"].items():
        assert torch.equal(best["state_dict"][name], value)


def test_next_fit_is_the_next_version(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=x") == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["version_0", "version_1"]
    one, two = (tmp_path / "x" / version / "report/metrics.json" for version in ("version_0", "version_1"))
    assert one.read_text() == two.read_text()  # same seed, same machine: same numbers


def test_seed_changes_the_fit_and_not_the_split(folder: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        assert (
            run_cli(
                "fit",
                *QUICK,
                f"--data.root={folder}",
                f"--runs_dir={tmp_path}",
                "--name=x",
                f"--seed_everything={seed}",
            )
            == 0
        )
    reports = [tmp_path / "x" / version / "report" for version in ("version_0", "version_1")]
    one, two = (json.loads((report / "metrics.json").read_text()) for report in reports)
    assert (one["seed"], two["seed"]) == (1, 2)
    assert one["loss"] != two["loss"]
    paths = [
        [line.split(",")[0] for line in (report / "predictions.csv").read_text().splitlines()] for report in reports
    ]
    assert paths[0] == paths[1]


def test_bad_files_are_passed_over_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Text, an empty file, no frames, NaN: in every subset; the run goes on, each is named once and reported."""
    write_folder(tmp_path / "music", tracks=16)
    for genre in range(3):
        for artist in range(8):
            place = tmp_path / "music" / f"genre{genre}" / f"artist{genre}{artist}"
            (place / "text.wav").write_text("no audio")
            soundfile.write(place / "nan.wav", tone(0, 1, 1.0) * float("nan"), 22050, subtype="FLOAT")
    (tmp_path / "music/genre0/artist00/empty.wav").touch()
    soundfile.write(tmp_path / "music/genre0/artist00/zero.wav", tone(0, 1, 0.0), 22050)
    assert run_cli("fit", *QUICK, f"--data.root={tmp_path / 'music'}", f"--runs_dir={tmp_path / 'runs'}") == 0
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("genre.")]
    metrics = json.loads((tmp_path / "runs/SpectralCNN/version_0/report/metrics.json").read_text())
    listed = {entry["path"]: entry["reason"] for entry in metrics["bad_files"]}
    assert sum(path.endswith("text.wav") for path in listed) == 24
    assert any("NaN" in reason for reason in listed.values())
    assert metrics["tracks"] == sum(entry["tracks"] for entry in metrics["genres"].values())
    assert metrics["tracks"] == metrics["tracks_by_subset"]["test"]
    assert sum(metrics["tracks_by_subset"].values()) == 48
    assert sorted(lines) == sorted(f"skipped {path}: {reason}" for path, reason in listed.items())
    page = (tmp_path / "runs/SpectralCNN/version_0/report/index.html").read_text()
    assert all(path in page for path in listed)


def test_every_file_of_a_split_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wave, name in ((None, "text"), (tone(0, 1, 1.0) * float("nan"), "nan")):
        for genre in range(3):
            for track in range(8):
                path = tmp_path / name / f"genre{genre}" / f"artist{track}" / "song.wav"
                path.parent.mkdir(parents=True)
                if wave is None:
                    path.write_text("no audio")
                else:
                    soundfile.write(path, wave, 22050, subtype="FLOAT")
        assert run_cli("fit", *QUICK, f"--data.root={tmp_path / name}", f"--runs_dir={tmp_path}") == 1
        errors = capsys.readouterr().err.splitlines()
        assert errors[-1].startswith("genre: error: ")
        assert len([line for line in errors if "error" in line]) == 1
        assert not any("Traceback" in line for line in errors)


def test_interrupt_says_how_to_go_on(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = ("--trainer.callbacks+=tests.callbacks.Interrupt", "--trainer.callbacks.step=3", "--trainer.max_epochs=3")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=x", *stop) == 130
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "interrupted" in line]
    last = tmp_path / "x/version_0/checkpoints/last.ckpt"
    assert line.endswith(f"genre fit --ckpt_path {last}")
    assert last.is_file()


def test_interrupt_in_the_first_epoch(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = ("--trainer.callbacks=tests.callbacks.Interrupt", "--trainer.callbacks.step=1")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}", *stop) == 130
    assert "interrupted before the first epoch was over; nothing to go on from" in capsys.readouterr().err


def test_without_a_logger_the_run_stays_in_its_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    options = (f"--data.root={folder}", f"--runs_dir={tmp_path}", "--name=x", "--trainer.logger=false")
    assert run_cli("fit", *QUICK, *options) == 0
    run = tmp_path / "x" / "version_0"
    assert {path.name for path in run.iterdir()} == {"config.yaml", "checkpoints", "report"}
    assert not list((tmp_path / "here").iterdir())
    assert run_cli("test", f"--ckpt_path={run / 'checkpoints/best.ckpt'}") == 0
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"version_0", "version_1"}


def test_validate_prints_scores_and_leaves_nothing(
    trained: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(trained, tmp_path_factory.mktemp("uncalibrated") / "run")
    checkpoint = run / "checkpoints/best.ckpt"
    saved = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    saved["genre"]["temperature"] = 1.0  # as in the epochs of the fit
    torch.save(saved, checkpoint)
    capsys.readouterr()
    assert run_cli("validate", f"--ckpt_path={checkpoint}", f"--runs_dir={tmp_path}") == 0
    output = capsys.readouterr().out
    assert "6 validation tracks of Folder" in output
    with (trained / "report" / "history.csv").open() as lines:
        best = min(csv.DictReader(lines), key=lambda row: float(row["val_loss"]))
    for name in ("accuracy", "f1", "auroc", "loss"):
        assert re.search(rf"{name} *│ *{float(best[f'val_{name}']):.3f} ", output)
    assert not list(tmp_path.iterdir())


def test_ensemble_without_out_is_the_next_version(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    best = trained / "checkpoints/best.ckpt"
    for version in ("version_0", "version_1"):
        assert run_cli("ensemble", best, best) == 0
        assert (tmp_path / "runs/ensemble" / version / "metrics.json").is_file()


def test_a_single_test_track_is_scored(tmp_path: Path) -> None:
    names = {subset: [name for name, there in fault_filtered_split().items() if there == subset] for subset in SUBSETS}

    def numbers(genre: str) -> list[int]:
        counts: dict[Subset, int] = {"train": 2, "validation": 1, "test": genre == "jazz"}
        picked = [
            [name for name in names[subset] if name.startswith(f"{genre}.")][:count] for subset, count in counts.items()
        ]
        return sorted(int(name.partition(".")[2]) for part in picked for name in part)

    write_gtzan(tmp_path / "gtzan", numbers, seconds=0.8)
    options = [option for option in QUICK if "split" not in option]
    status = run_cli(
        "fit", *options, "--data=genre.data.GTZAN", f"--data.root={tmp_path / 'gtzan'}",
        "--data.split=genre.data.OfficialSplit", f"--runs_dir={tmp_path}",
    )  # fmt: skip
    assert status == 0
    metrics = json.loads((tmp_path / "SpectralCNN" / "version_0" / "report" / "metrics.json").read_text())
    assert metrics["tracks"] == 1
    assert metrics["accuracy"]["value"] in (0.0, 1.0)
