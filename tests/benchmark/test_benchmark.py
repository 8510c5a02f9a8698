"""The verb: cells run once, go on where they were, fail without stopping the rest; nothing finished is lost."""

import csv
import errno
import json
import shutil
import time
from pathlib import Path

import pytest

from genre.benchmark import run as module
from tests.conftest import run_cli
from tests.processes import start_python


def run(plan: Path, *options: str) -> int:
    return run_cli("benchmark", plan, "--name=bench", f"--runs_dir={plan.parent / 'runs'}", *options)


def place(plan: Path, version: int = 0) -> Path:
    return plan.parent / "runs" / "bench" / f"version_{version}"


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What was printed, each run of white space as a single space."""
    captured = capsys.readouterr()
    return " ".join(captured.out.split()), " ".join(captured.err.split())


@pytest.mark.pictures
def test_table_and_resume(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(plan) == 1  # one cell failed
    out, _ = said(capsys)
    assert "bad-seed0 failed: SpectralCNN needs at least 32 bands" in out
    folder = place(plan)
    good = folder / "cells" / "good-seed0" / "version_0"
    metrics = json.loads((good / "report" / "metrics.json").read_text())
    with (folder / "table.csv").open() as lines:
        row, failed = csv.DictReader(lines)
    assert float(row["accuracy"]) == pytest.approx(metrics["accuracy"]["value"], abs=1e-4)
    assert float(row["accuracy_published"]) == 0.75
    assert float(row["accuracy_low"]) == pytest.approx(metrics["accuracy"]["low"], abs=1e-4)
    assert int(row["parameters"]) == metrics["parameters"]
    assert failed["failed"] == "bad-seed0"
    table = (folder / "table.md").read_text()
    assert "- good: data Folder (paper: GTZAN); 2 epochs (paper: 50)" in table
    page = (folder / "index.html").read_text()
    assert 'href="cells/good-seed0/version_0/report/index.html"' in page
    assert "0.75" in page
    assert "failed" in page
    assert {"roc.png", "accuracy.png", "learning_curves.png"} <= {path.name for path in folder.iterdir()}

    before = (good / "checkpoints" / "best.ckpt").stat().st_mtime_ns
    (plan.parent / "bad.yaml").write_text((plan.parent / "good.yaml").read_text())
    assert run(plan, "--resume") == 0
    assert (good / "checkpoints" / "best.ckpt").stat().st_mtime_ns == before  # never run again
    with (folder / "table.csv").open() as lines:
        first, second = csv.DictReader(lines)
    assert second["accuracy"] == first["accuracy"]  # the same recipe and seed

    said(capsys)
    assert run(plan, "--resume", "--epochs=1") == 1
    assert "was run with other options" in said(capsys)[1]


def test_killed_and_resumed(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml]\n")
    options = ["--epochs=15", "--model.scheduler=torch.optim.lr_scheduler.StepLR", "--model.scheduler.step_size=5"]
    place_options = ["--name=bench", f"--runs_dir={plan.parent / 'runs'}"]
    cell = place(plan) / "cells" / "good-seed0" / "version_0"
    command = ["-m", "genre", "benchmark", str(plan), *place_options, *options]
    process = start_python(*command, cwd=plan.parent, output=plan.parent)
    try:
        deadline = time.monotonic() + 120
        while not (cell / "checkpoints" / "last.ckpt").is_file():
            assert process.exitcode is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.join()
    time.sleep(0.3)
    last = (cell / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    time.sleep(0.7)  # of several epochs
    assert (cell / "checkpoints" / "last.ckpt").stat().st_mtime_ns == last  # the cell ended with the benchmark
    assert not (cell / "report").exists()
    assert run(plan, *options, "--resume") == 0
    with (cell / "report" / "history.csv").open() as lines:
        assert [float(row["epoch"]) for row in csv.DictReader(lines)] == list(range(15))
    assert len(list(cell.glob("metrics.*.csv"))) == 1  # it went on: the log of before is kept


@pytest.mark.pictures
def test_k_fold_has_a_report_of_all_folds(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml]\nsplits: [folds.yaml]\n")
    assert run(plan, "--epochs=1") == 0
    pooled = json.loads((place(plan) / "folds" / "good-folds" / "metrics.json").read_text())
    assert pooled["tracks"] == 24  # every track of the corpus once
    assert pooled["split"]["fold"] == "all"
    assert (place(plan) / "folds" / "good-folds" / "confusion_matrix.png").is_file()
    assert not (place(plan) / "folds" / "good-folds" / "roc.png").exists()
    page = (place(plan) / "folds" / "good-folds" / "index.html").read_text(encoding="utf-8")
    assert "AUC-ROC is the mean over folds" in page
    assert "roc.png" not in page
    accuracies = [
        json.loads(path.read_text())["accuracy"]["value"]
        for path in sorted(place(plan).glob("cells/*/version_0/report/metrics.json"))
    ]
    with (place(plan) / "table.csv").open() as lines:
        row = next(csv.DictReader(lines))
    assert float(row["accuracy_folds"]) == pytest.approx(sum(accuracies) / 3, abs=1e-4)
    areas = [
        json.loads(path.read_text())["auroc"]["value"]
        for path in sorted(place(plan).glob("cells/*/version_0/report/metrics.json"))
    ]
    assert float(row["auroc"]) == pytest.approx(sum(areas) / 3, abs=1e-4)
    assert pooled["auroc"]["value"] == pytest.approx(sum(areas) / 3, abs=1e-4)
    for file in ("table.md", "index.html"):
        text = " ".join((place(plan) / file).read_text().split())
        assert "With folds, AUC-ROC is the mean over folds" in text
        assert "their intervals are too narrow: good-folds (24 tracks)." in text


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--data.root=/nowhere"], 1, "/nowhere: found nothing, expected a folder of audio"),
        (["--data.rot=x"], 2, "unknown option --data.rot; did you mean --data.root?"),
        (["--splits", "/nowhere.yaml"], 1, "--splits: names /nowhere.yaml, which does not exist"),
        (["--resume"], 1, "found no benchmark to resume"),
        (["--epochs=0"], 2, "at least 1"),
        (["--seed_everything=3"], 1, "give --seeds in place of --seed_everything"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    plan: Path, options: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(plan, *options) == status
    err = capsys.readouterr().err
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(plan.parent.glob("runs/bench/*/cells/*/version_0"))


@pytest.mark.parametrize(
    ("change", "option", "message"),
    [
        (("genre.models.SpectralCNN", "genre.models.SpectralCNNN"), [], "did you mean SpectralCNN?"),
        (("segment_seconds", "segment_second"), [], "segment_second"),
    ],
)
def test_a_recipes_mistake_names_its_row(
    plan: Path, change: tuple[str, str], option: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = plan.parent / "bad.yaml"
    recipe.write_text(recipe.read_text().replace(*change))
    assert run(plan, *option) == 2
    error, row = capsys.readouterr().err.splitlines()
    assert error.startswith("genre: error: ")
    assert message in error
    assert row == f"genre: the mistake is in the row bad ({recipe}); no cell was run"
    assert not (plan.parent / "runs").exists()


def test_pretrained_is_checked_before_anything_runs(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write_text("recipes: [good.yaml, resnet.yaml]\n")
    recipe = (plan.parent / "good.yaml").read_text()
    (plan.parent / "resnet.yaml").write_text(
        recipe.replace(
            "network: genre.models.SpectralCNN", "network: {class_path: ResNet18, init_args: {pretrained: false}}"
        )
    )
    assert run(plan, "--pretrained=maybe") == 1
    error = capsys.readouterr().err
    assert "--pretrained: found maybe; expected true, false, a weights file, or timm's name of weights" in error
    assert error.count("\n") == 1
    assert not (plan.parent / "runs").exists()


def test_pretrained_without_a_network_that_takes_weights(
    plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan.write_text("recipes: [good.yaml]\n")
    ran: list[module.Benchmark] = []

    def record(self: module.Benchmark) -> int:
        ran.append(self)
        return 0

    monkeypatch.setattr(module.Benchmark, "run", record)
    assert run(plan, "--pretrained=maybe") == 0
    assert capsys.readouterr().err == "genre: --pretrained does nothing here: no network of the plan takes weights\n"
    (cell,) = ran[0].cells.values()
    assert not any("init_args.pretrained" in option for option in cell.options)


def test_a_variant_by_options_is_a_row_of_its_own(plan: Path) -> None:
    plan.write_text("recipes: [good.yaml, [good.yaml, --trainer.max_epochs=1]]\npublished: published.yaml\n")
    assert run(plan) == 0
    with (place(plan) / "table.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["row"] for row in rows] == ["good", "good-max_epochs=1"]
    assert [row["accuracy_published"] for row in rows] == ["0.75", "0.75"]
    assert "1 epoch (paper: 50)" in rows[1]["differences"]
    assert (place(plan) / "cells" / "good-max_epochs=1-seed0" / "version_0" / "report" / "index.html").is_file()


def test_a_full_disk_ends_it_with_one_line(
    plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan.write_text("recipes: [good.yaml]\nseeds: [0]\n")
    assert run(plan, "--epochs=1") == 0
    before = (place(plan) / "table.csv").read_text()

    with monkeypatch.context() as patch:
        patch.setattr(module, "NEEDED", 1 << 60)
        assert run(plan, "--epochs=1", "--seeds", "0", "1", "--resume") == 1
    err = said(capsys)[1]
    assert "the disk is full; what is finished is kept" in err
    assert err.endswith("--resume")
    assert not (place(plan) / "cells" / "good-seed1" / "version_0").exists()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_tables", full)
        assert run(plan, "--epochs=1", "--resume") == 1
    assert "the disk is full" in said(capsys)[1]
    assert (place(plan) / "table.csv").read_text() == before
    assert run(plan, "--epochs=1", "--resume") == 0
    shutil.rmtree(place(plan))
