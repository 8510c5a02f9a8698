"""Genres, files and runs may be called anything."""

import json
import os
import sys
import warnings
from pathlib import Path

import pytest
import soundfile

from ..conftest import QUICK, run_cli, tone, write_folder

ODD = ("R$B_^ $oul", "[live] :a: b", "{{7*7}} <b>")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on genres with odd names, beside its music."""
    base = tmp_path_factory.mktemp("odd")
    write_folder(base / "music")
    for index, name in enumerate(ODD):
        (base / "music" / f"genre{index}").rename(base / "music" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a warning of matplotlib's
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch")
        options = [*QUICK, f"--data.root={base / 'music'}", f"--runs_dir={base}", "--name=mix [v2]"]
        assert run_cli("fit", *options) == 0
    return base


def test_a_report_of_odd_genres(odd: Path) -> None:
    report = odd / "mix [v2]" / "version_0" / "report"
    assert {"index.html", "roc.png", "confusion_matrix.png", "metrics.json"} <= {path.name for path in report.iterdir()}
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "{{7*7}} &lt;b&gt;" in page
    assert "R$B_^ $oul" in page


def test_brackets_are_printed(odd: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    song = odd / "song [remix].wav"
    soundfile.write(song, tone(1, 1, 1.0), 22050)
    run = odd / "mix [v2]" / "version_0"
    assert run_cli("predict", f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}", str(song)) == 0
    out = capsys.readouterr().out
    assert "song [remix].wav" in out
    assert "[live] :a: b" in out
    assert run_cli("compare", str(run), str(run)) == 0
    assert "mix [v2]" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="only there a file's name is any bytes")
def test_a_name_that_is_not_in_utf_8_is_a_bad_file(
    odd: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    music = write_folder(tmp_path / "music")
    latin = music / "genre0" / "artist00" / os.fsdecode(b"caf\xe9.wav")
    try:
        soundfile.write(music / "a.wav", tone(0, 0, 1.0), 22050)
        (music / "a.wav").rename(latin)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    assert run_cli("fit", *QUICK, f"--data.root={music}", f"--runs_dir={tmp_path}") == 0
    (line,) = [line for line in caplog.messages if line.startswith("skipped")]
    assert line.endswith("its name is not in UTF-8; rename the file")
    report = tmp_path / "SpectralCNN" / "version_0" / "report"
    (bad,) = json.loads((report / "metrics.json").read_text(encoding="utf-8"))["bad_files"]
    assert bad["path"] == str(latin)
    assert "caf\\udce9.wav" in (report / "index.html").read_text(encoding="utf-8")
    checkpoint = odd / "mix [v2]" / "version_0" / "checkpoints" / "best.ckpt"
    capsys.readouterr()
    assert run_cli("predict", f"--ckpt_path={checkpoint}", "--format=json", str(latin.parent)) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "not in UTF-8" in err
    assert run_cli("audit", str(music), f"--out={tmp_path / 'audit'}") == 0
