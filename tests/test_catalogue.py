"""``genre predict`` over many files: the same numbers however they are computed, and one row per file after any crash."""

import csv
import io
import json
import sys
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow.parquet
import pytest
import soundfile
import torch

import genre
from genre.catalogue import Settings, predict_catalogue
from genre.cli.audio_files import by_size, expand_lists
from genre.cli.predict_formats import CsvFile, JsonLines
from genre.cli.predict_output import PredictOutput
from genre.cli.processes import Place, find_place

from .conftest import run_cli, tone
from .processes import start_python

GENRES = ["genre0", "genre1", "genre2"]


@pytest.fixture(scope="module")
def checkpoint(trained: Path) -> Path:
    return trained / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen files of 0.3 to 6 seconds, of which two are bad, and one has a line break and quotes in its name."""
    root = tmp_path_factory.mktemp("music")
    for number in range(11):
        soundfile.write(root / f"song {number:02}.wav", tone(number % 3, number, 0.3 + number * 0.5), 22050)
    soundfile.write(root / 'a "b"\n,c.wav', tone(0, 99, 1.0), 22050)
    (root / "broken.mp3").write_text("no audio")
    (root / "empty.wav").touch()
    return root


def read_rows(file: Path) -> dict[str, dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len({row["path"] for row in rows}) == len(rows)  # none twice
    return {row["path"]: row for row in rows}


@pytest.fixture(scope="module")
def whole(checkpoint: Path, music: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The rows of one run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole") / "whole.csv"
    assert run_cli("predict", "--ckpt_path", checkpoint, music, "--out", out) == 1
    rows = read_rows(out)
    assert rows.keys() == {str(path) for path in music.iterdir()}
    assert {Path(path).name for path, row in rows.items() if row["error"]} == {"broken.mp3", "empty.wav"}
    return rows


class TestNumbers:
    """A segment's probabilities are those of the plain loop."""

    @pytest.mark.parametrize(
        "settings",
        [
            Settings(1, 16, False),
            Settings(3, 16, False),
            Settings(2, 3, False),
            Settings(2, 7, True),
            Settings(1, 64, True),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("backwards", [False, True])
    def test_they_depend_on_nothing_else(
        self, checkpoint: Path, music: Path, settings: Settings, backwards: bool
    ) -> None:
        predictor = genre.load(checkpoint)
        paths = sorted(music.glob("*.wav"), reverse=backwards)
        before = torch.get_num_threads()
        results = list(predict_catalogue(genre.Ensemble([predictor]), paths, settings))
        assert torch.get_num_threads() == before
        assert [result.path for result in results] == paths
        for result in results:
            if result.path.name == "empty.wav":
                assert result.prediction is None
                assert result.error is not None
                assert result.error.reason == "empty file"
                continue
            assert result.prediction is not None
            alone = predictor.predict(result.path).probabilities
            found = result.prediction.probabilities
            assert [found[name] for name in GENRES] == pytest.approx([alone[name] for name in GENRES], abs=1e-6)
            if settings.batch_size == 16:
                assert found == alone  # to the last bit

    def test_an_ensemble_of_other_segments(self, checkpoint: Path, music: Path) -> None:
        members = [genre.load(checkpoint), genre.load(checkpoint)]
        members[1].segment_seconds, members[1].evaluation_segments = 0.5, 4
        ensemble = genre.Ensemble(members)
        paths = sorted(music.glob("song*.wav"))
        for result in predict_catalogue(ensemble, paths, Settings(2, 8, True)):
            assert result.prediction is not None
            expected = ensemble.predict(result.path).probabilities
            assert result.prediction.probabilities == pytest.approx(expected, abs=1e-6)
            assert [len(starts) for starts, _ in result.timelines] == [
                len(member.positions(result.seconds)) for member in members
            ]

    def test_a_timeline(self, checkpoint: Path, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
        song = music / "song 08.wav"  # 4.3 s, of which 6 segments of 0.8 s
        assert run_cli("predict", "--ckpt_path", checkpoint, "--format=json", "--timeline", song) == 0
        entry = json.loads(capsys.readouterr().out)
        starts = [item["start"] for item in entry["timeline"]]
        assert starts == pytest.approx([index * (4.3 - 0.8) / 5 for index in range(6)], abs=1e-3)
        wave = torch.from_numpy(soundfile.read(song, dtype="float32")[0])
        predictor = genre.load(checkpoint)
        for item in entry["timeline"]:
            first = round(item["start"] * 22050)
            expected = predictor.probabilities(wave[first : first + round(0.8 * 22050)].reshape(1, 1, -1))[0]
            assert [item["probabilities"][name] for name in GENRES] == pytest.approx(expected.tolist(), abs=1e-4)
        mean = [sum(item["probabilities"][name] for item in entry["timeline"]) / 6 for name in GENRES]
        assert mean == pytest.approx([entry["probabilities"][name] for name in GENRES], abs=1e-6)

    def test_a_threshold(self, checkpoint: Path, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
        named = []
        for threshold in ("0", "1"):
            options = ("--format=csv", "--threshold", threshold)
            assert run_cli("predict", "--ckpt_path", checkpoint, music / "song 01.wav", *options) == 0
            (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
            named.append(row.pop("genre"))
        assert named[0] in GENRES
        assert named[1] == "unknown"
        assert float(row["probability"]) == max(float(row[name]) for name in GENRES)

    @pytest.mark.parametrize(("stored", "genre"), [(0.0, None), (1.0, "unknown")])
    def test_the_threshold_of_the_checkpoint(
        self,
        checkpoint: Path,
        music: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        stored: float,
        genre: str | None,
    ) -> None:
        content = torch.load(checkpoint, weights_only=True)
        content["genre"]["threshold"] = stored
        torch.save(content, tmp_path / "mine.ckpt")
        song, options = music / "song 01.wav", ("--format=json", "--threshold", "auto")
        assert run_cli("predict", "--ckpt_path", tmp_path / "mine.ckpt", song, *options) == 0
        entry = json.loads(capsys.readouterr().out)
        assert entry["genre"] == (genre or next(iter(entry["probabilities"])))
        assert entry["probability"] == max(entry["probabilities"].values())
        two = ("--ckpt_path", tmp_path / "mine.ckpt", "--ckpt_path", checkpoint)
        assert run_cli("predict", *two, song, *options) == 1
        assert "several checkpoints have no threshold together" in capsys.readouterr().err
        content["genre"]["threshold"] = None
        torch.save(content, tmp_path / "none.ckpt")
        assert run_cli("predict", "--ckpt_path", tmp_path / "none.ckpt", song, *options) == 1
        assert capsys.readouterr().err.startswith("genre: error: --threshold auto: its fit found no threshold")


class TestLists:
    def test_of_a_file_and_of_stdin(self, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "lines").write_bytes(b"a.wav\r\n\nb c.wav\n")
        stdin = io.TextIOWrapper(io.BytesIO(b"x\ny.wav\0z\xe9.wav\0"))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert expand_lists([Path("first"), Path("-")], tmp_path / "lines") == [
            *map(Path, ("first", "x\ny.wav", "z\udce9.wav", "a.wav", "b c.wav"))
        ]

    def test_by_size(self, music: Path) -> None:
        paths = sorted(music.glob("song*"))
        assert by_size([*paths, *paths]) == paths[::-1]

    def test_predict_takes_them(
        self, checkpoint: Path, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "list").write_text("\n".join(map(str, sorted(music.glob("song*")))))
        assert run_cli("predict", "--ckpt_path", checkpoint, "--list", tmp_path / "list", "--format=csv") == 0
        assert len(capsys.readouterr().out.splitlines()) == 12
        assert run_cli("predict", "--ckpt_path", checkpoint, "--list", tmp_path / "nowhere") == 1
        assert capsys.readouterr().err.startswith(f"genre: error: {tmp_path}/nowhere: the list cannot be read (")


class TestFiles:
    def test_every_format_says_the_same(
        self,
        checkpoint: Path,
        music: Path,
        tmp_path: Path,
        whole: dict[str, dict[str, str]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for ending in ("jsonl", "parquet"):
            out = tmp_path / "new" / f"out.{ending}"
            assert run_cli("predict", "--ckpt_path", checkpoint, music, "--out", out, "--timeline") == 1
            assert f"{out}: 14 files, " in capsys.readouterr().out
        entries = [json.loads(line) for line in (tmp_path / "new/out.jsonl").read_text().split("\n")[:-1]]
        rows = pyarrow.parquet.read_table(tmp_path / "new/out.parquet").to_pylist()
        assert [path.name for path in sorted((tmp_path / "new").iterdir())] == ["out.jsonl", "out.parquet"]
        assert len(entries) == len(rows) == len(whole)
        for entry, row in zip(entries, rows, strict=True):
            said = whole[entry["path"]]
            assert row["path"] == entry["path"]
            assert (entry.get("error") or "") == (row["error"] or "") == said["error"]
            if said["error"]:
                assert entry.keys() == {"path", "error"}
                assert row["genre"] is row["timeline"] is None
                continue
            assert entry["genre"] == row["genre"] == said["genre"]
            for name in GENRES:
                assert f"{entry['probabilities'][name]:.6f}" == f"{row[name]:.6f}" == said[name]
            assert [item["start"] for item in entry["timeline"]] == pytest.approx(
                [item[0] for item in row["timeline"]], abs=1e-3
            )
        sizes = [Path(entry["path"]).stat().st_size for entry in entries]
        assert sizes == sorted(sizes, reverse=True)

    @pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
    def test_resume_mends_any_torn_row(
        self,
        ending: str,
        checkpoint: Path,
        music: Path,
        tmp_path: Path,
        whole: dict[str, dict[str, str]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """The file is cut off at many places, as a killed process leaves it."""
        out = tmp_path / f"out.{ending}"
        written = out if ending != "parquet" else tmp_path / "out.parquet.0-of-1.part"
        results = PredictOutput(out, "genre", GENRES, timeline=False)
        results.begin(resume=False)
        for path, row in whole.items():
            probabilities = {name: float(row[name] or 0) for name in GENRES}
            good = {
                "genre": row["genre"],
                "probability": float(row["probability"] or 0),
                "probabilities": probabilities,
            }
            results.append({"path": path} | ({"error": row["error"]} if row["error"] else good))
        results.close()
        content = written.read_bytes()
        for size in (len(content), len(content) - 1, len(content) // 2, 150, 3, 0):
            out.unlink(missing_ok=True)
            written.write_bytes(content[:size])
            assert run_cli("predict", "--ckpt_path", checkpoint, music, "--out", out, "--resume") in (0, 1)
            said = capsys.readouterr().out
            assert said.startswith(f"{out}: {0 if size == len(content) else ''}")
            if ending == "csv":
                assert read_rows(out) == whole
            elif ending == "jsonl":
                paths = [json.loads(line)["path"] for line in out.read_text().split("\n")[:-1]]
                assert sorted(paths) == sorted(whole)
            else:
                assert sorted(pyarrow.parquet.read_table(out)["path"].to_pylist()) == sorted(whole)
                assert not written.exists()

    def test_bad_files_are_not_tried_again(
        self, checkpoint: Path, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = (
            "predict",
            "--ckpt_path",
            checkpoint,
            music / "broken.mp3",
            music / "song 00.wav",
            "--out",
            tmp_path / "o.csv",
        )
        assert run_cli(*command) == 1
        assert capsys.readouterr().err.startswith(f"genre: {music}/broken.mp3: undecodable")
        assert run_cli(*command, "--resume") == 0
        output = capsys.readouterr()
        assert output.err == ""
        assert output.out == f"{tmp_path}/o.csv: 0 files; 2 had a row already\n"

    def test_what_is_there_is_kept(
        self, checkpoint: Path, music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, content in {
            "own.csv": "my only copy",
            "other.csv": "path,genre,probability,rock,error\n",
            "own.jsonl": "[1",
            "b.csv": "a\0b\n",
            "c.jsonl": '{"path": "a", "probabilities": {"rock": 1}}\n',
            "d.parquet": "PAR1",
        }.items():
            file = tmp_path / name
            file.write_text(content)
            song = music / "song 00.wav"
            assert run_cli("predict", "--ckpt_path", checkpoint, song, "--out", file) == 1
            assert (
                capsys.readouterr().err
                == f"genre: error: {file}: exists; go on with --resume, or choose another --out\n"
            )
            assert run_cli("predict", "--ckpt_path", checkpoint, song, "--out", file, "--resume") == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"genre: error: {file}: holds rows of other genres or of another kind; ")
            assert file.read_text() == content

    def test_a_row_in_a_part_and_in_the_file_is_written_once(self, tmp_path: Path) -> None:
        """As a process leaves it that is killed while it merges."""
        file = tmp_path / "o.csv"
        layout = ("genre", ["a", "b"], False)
        entries = [
            {"path": name, "genre": "a", "probability": 0.7, "probabilities": {"a": 0.7, "b": 0.3}} for name in "xyz"
        ]
        CsvFile(file, *layout).write(entries[:2])
        JsonLines(tmp_path / "o.csv.0-of-2.part", *layout).write(entries[1:])
        JsonLines(tmp_path / "o.csv.1-of-2.part", *layout).write([{"path": "w", "error": "no, such"}])
        results = PredictOutput(file, *layout)
        assert results.begin(resume=True) == {*"wxyz"}
        results.merge()
        assert file.read_text().splitlines() == [
            "path,genre,probability,a,b,error",
            *(f"{name},a,0.700000,0.700000,0.300000," for name in "xyz"),
            'w,,,,,"no, such"',
        ]
        assert list(tmp_path.iterdir()) == [file]


class TestProcesses:
    @pytest.mark.parametrize(
        ("variables", "place"),
        [
            ({}, Place()),
            ({"RANK": "3", "WORLD_SIZE": "8"}, Place(3, 8, 3)),
            ({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}, Place(5, 8, 1, 4)),
            (
                {
                    **{"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"},
                    **{"SLURM_PROCID": "2", "SLURM_LOCALID": "0"},
                },
                Place(2, 4, 0),
            ),
            ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}, Place()),
        ],
    )
    def test_places(self, variables: dict[str, str], place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_NTASKS", "SLURM_JOB_NAME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert find_place() == place

    def test_they_need_a_file(
        self, checkpoint: Path, music: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert run_cli("predict", "--ckpt_path", checkpoint, music) == 1
        assert "2 processes share the files; each writes a part of --out FILE, give one" in capsys.readouterr().err

    def test_one_of_two_is_killed(
        self,
        checkpoint: Path,
        music: Path,
        tmp_path: Path,
        whole: dict[str, dict[str, str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "out.csv"
        command: list[str | Path] = ["predict", "--ckpt_path", checkpoint, music, "--out", out, "--num_workers=1"]
        slow = start(command, tmp_path.parent, rank=1, pause=0.3)
        part = tmp_path / "out.csv.1-of-2.part"
        deadline = time.monotonic() + 200
        while not (part.exists() and b"\n" in part.read_bytes()) and time.monotonic() < deadline and slow.is_alive():
            time.sleep(0.01)
        slow.kill()
        slow.join()
        survivors = len(part.read_bytes().splitlines())
        assert 1 <= survivors < 7
        with part.open("ab") as torn:
            torn.write(b'{"path": "to')
        for rank in (0, 1):
            with monkeypatch.context() as context:
                context.setenv("RANK", str(rank))
                context.setenv("WORLD_SIZE", "2")
                assert run_cli(*command, *(["--resume"] if rank else [])) in (0, 1)
        assert f"; {survivors} had a row already; process 1 of 2" in capsys.readouterr().out
        assert not out.exists()
        assert run_cli(*command, "--resume") == 0
        assert read_rows(out) == whole
        assert list(tmp_path.iterdir()) == [out]


def start(command: Sequence[str | Path], folder: Path, rank: int, pause: float) -> BaseProcess:
    """A process of two, which waits after each file."""
    script = folder / f"slow{rank}.py"
    script.write_text(
        "import sys, time, genre.predictor\n"
        "read = genre.predictor.Predictor.read\n"
        f"genre.predictor.Predictor.read = lambda *arguments: (time.sleep({pause}), read(*arguments))[1]\n"
        "from genre.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    environment = {"RANK": str(rank), "WORLD_SIZE": "2"}
    return start_python(script, *command, cwd=folder, output=folder, environment=environment)


MISTAKES = {
    "a timeline in a table": (["--timeline"], 2, "genre predict: error: --timeline needs --format=json, --format=csv or --out"),
    "nothing to resume": (["--resume"], 2, "genre predict: error: --resume needs --out, the file to go on with"),
    "no share": (["--threshold=2"], 2, "genre predict: error: argument --threshold: expected a number from 0 to 1, or auto; found '2'"),
    "an ending": (["--out=a.txt"], 1, "genre: error: a.txt: unknown ending; expected .csv, .jsonl, .parquet"),
    "a device": (["--device=gpu7"], 1, "genre: error: --device gpu7: no such device here; found cpu"),
    "a device without data": (["--device=meta"], 1, "genre: error: --device meta: no such device here; found cpu"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, status, message = MISTAKES[mistake]
    assert run_cli("predict", "song.wav", *options) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)
