import csv
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre.audit.faults import Examined, Levels, Limits, examine, examine_all
from genre.audit.run import read_data_set, select_exclusions
from genre.data.exclusions import read_exclusions
from genre.data.track import Subset, Track
from genre.errors import GenreError

from ..conftest import run_cli, tone, write_folder


class TestLayout:
    def test_gtzan(self, gtzan: Path) -> None:
        name, _, corpus = read_data_set(gtzan)
        assert (name, len(corpus.genres), bool(corpus.official)) == ("GTZAN", 10, True)

    def test_folder(self, folder: Path) -> None:
        assert read_data_set(folder)[0] == "Folder"

    def test_folder_named_like_a_genre_of_gtzan_is_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "rock").mkdir()
        soundfile.write(tmp_path / "rock" / "song.wav", tone(0, 0, 1.0), 22050)
        name, _, corpus = read_data_set(tmp_path)
        assert (name, [track.name for track in corpus.tracks]) == ("Folder", ["song"])

    def test_gtzan_of_which_most_is_not_is_a_folder(self, tmp_path: Path) -> None:
        for name in ("jazz/jazz.00000.wav", "rock/rock.00000.wav", "rock/rock.00000.au", "Hip Hop/a.wav", "rock/B.MP3"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert read_data_set(tmp_path)[0] == "GTZAN"  # two tracks, and two others
        (tmp_path / "rock" / "C.MP3").touch()
        name, _, corpus = read_data_set(tmp_path)
        assert (name, corpus.genres) == ("Folder", ["Hip Hop", "jazz", "rock"])
        assert len(corpus.tracks) == 6

    def test_ballroom(self, tmp_path: Path) -> None:
        for dance in ("Jive", "Quickstep", "Samba", "Tango", "Waltz", "VienneseWaltz"):
            (tmp_path / "BallroomData" / dance).mkdir(parents=True)
            soundfile.write(tmp_path / "BallroomData" / dance / "Media-1.wav", tone(0, 0, 1.0), 22050)
        assert read_data_set(tmp_path)[0] == "Ballroom"
        assert read_data_set(tmp_path / "BallroomData")[0] == "Ballroom"

    def test_one_dance_is_a_folder(self, tmp_path: Path) -> None:
        for genre in ("salsa", "techno"):
            (tmp_path / genre).mkdir()
            soundfile.write(tmp_path / genre / "song.wav", tone(0, 0, 1.0), 22050)
        assert read_data_set(tmp_path)[0] == "Folder"

    def test_fma_without_metadata_says_what_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "fma_small" / "000").mkdir(parents=True)
        with pytest.raises(GenreError, match=r"unzip fma_metadata\.zip"):
            read_data_set(tmp_path)

    def test_csv_and_built_in_corpus(self, tmp_path: Path) -> None:
        (tmp_path / "tracks.csv").write_text("path,genre,artist\na.wav,x,me\n")
        assert read_data_set(tmp_path / "tracks.csv")[0] == "CSV"
        (tmp_path / "corpus.json").write_text("{}")
        name, root, corpus = read_data_set(tmp_path)
        assert (name, root, corpus.tracks[0].artist) == ("CSV", tmp_path / "tracks.csv", "me")

    def test_what_is_asked_for_is_taken(self, gtzan: Path) -> None:
        assert read_data_set(gtzan / "genres_original", "Folder")[2].tracks[0].artist is None


class TestLevels:
    @pytest.mark.parametrize("size", [1, 2, 7, 1000])
    def test_do_not_depend_on_the_blocks(self, size: int) -> None:
        random = np.random.default_rng(0)
        wave = np.clip(0.8 * random.standard_normal((1000, 2)).repeat(3, axis=0), -1, 1).astype(np.float32)
        wave[:100] = wave[-50:] = 0
        whole, parts = Levels(100), Levels(100)
        whole.push(wave, wave.mean(axis=1))
        for start in range(0, len(wave), size):
            block = wave[start : start + size]
            parts.push(block, block.mean(axis=1))
        assert whole.clipped > 0.05
        assert whole.silent > 0.04
        assert (parts.clipped, parts.silent, parts.peak, parts.frames) == (whole.clipped, whole.silent, 1.0, 3000)
        assert parts.rms == pytest.approx(whole.rms, rel=1e-6)

    @pytest.mark.parametrize(
        ("samples", "flat"),
        [([1, 1, 1], 1), ([1, 1], 0), ([0, 1, 1, 1, 1, 0], 2), ([1, 1, 1, -1, -1, -1], 2), ([1, 1, -1, -1], 0),
         ([0.5] * 9, 0), ([0.992] * 3 + [0] + [-1] * 3, 2), ([0.995, 0.999, 0.995], 0)],
    )  # fmt: skip
    def test_flat_tops(self, samples: list[float], flat: int) -> None:
        levels = Levels(100)
        block = np.array(samples, np.float32)[:, None]
        levels.push(block, block[:, 0])
        assert round(levels.clipped * len(samples)) == flat

    def test_loud_sine_is_not_clipped(self, tmp_path: Path) -> None:
        sine = np.sin(2 * np.pi * 55 * np.arange(44100) / 22050)
        soundfile.write(tmp_path / "sine.wav", sine, 22050)
        assert examine(Track(tmp_path / "sine.wav", "x"), Limits()).faults == []


def test_limits_are_options(tmp_path: Path) -> None:
    write_folder(tmp_path / "music", tracks=4, seconds=1.5)
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "a") == 0
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "b", "--shortest=2") == 0
    faults = []
    for name in ("a", "b"):
        with (tmp_path / name / "tracks.csv").open(newline="") as lines:
            faults.append({row["faults"] for row in csv.DictReader(lines)})
    assert faults == [{""}, {"short (1.50 s)"}]
    assert "\n\n" not in (tmp_path / "a" / "exclude.txt").read_text()  # nothing to leave out


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda root: None, ["{root}/nowhere"], "nowhere: found nothing there, expected the folder of a data set"),
        (lambda root: None, ["{root}"], "found no audio file in its sub-folders"),
        (lambda root: (root / "a.txt").write_text("x"), ["{root}/a.txt"], "found the columns x; expected path, genre"),
        (write_folder, ["{root}", "--shortest=5", "--longest=2"], "must be at most --longest; found 5 and 2 seconds"),
        (write_folder, ["{root}", "--longest=nan"], "must be at most --longest; found 1 and nan seconds"),
        (write_folder, ["{root}", "--data=GTZAN"], "found no folder of a GTZAN genre"),
        (lambda root: write_folder(root).joinpath("f").touch(), ["{root}", "--out={root}/f"], "choose another --out"),
    ],
)
def test_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, arguments: list[str], message: str
) -> None:
    make(tmp_path)  # type: ignore[operator]
    assert run_cli("audit", *(argument.format(root=tmp_path) for argument in arguments)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("genre: error: ")
    assert message in line


def test_summary_says_what_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    base = tmp_path / "wide [live]" / "genres_original"
    for place, name in enumerate(("jazz/jazz.00000.wav", "rock/rock.00000.wav", "Hip Hop/a.wav")):
        (base / name).parent.mkdir(parents=True)
        soundfile.write(base / name, tone(place, 0, 1.0), 22050)
    assert run_cli("audit", base.parent, "--out", tmp_path / "out") == 0
    lines = capsys.readouterr().out.splitlines()
    said = f"1 audio file below {base} is not named as GTZAN's tracks and is passed over, such as {base}/Hip Hop/a.wav"
    assert [line for line in lines if line.startswith(said)] == [
        f"{said}; as a folder (--data Folder, with {base} as the root) all would be read"
    ]
    assert f"{base.parent}: 2 tracks of 2 genres, read as GTZAN" in lines
    assert sum(message.startswith(said) for message in caplog.messages) == 1  # though it is listed twice


def test_link_that_leads_nowhere_is_a_fault(tmp_path: Path) -> None:
    write_folder(tmp_path / "music", genres=2, tracks=2)
    (tmp_path / "music" / "genre0" / "dangling.wav").symlink_to("nowhere.wav")
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "out") == 0
    with (tmp_path / "out" / "tracks.csv").open(newline="") as lines:
        faults = {row["path"]: (row["faults"], row["exclude"]) for row in csv.DictReader(lines) if row["faults"]}
    assert faults == {"genre0/dangling.wav": ("missing (the link leads nowhere)",) * 2}


def test_one_recording_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "music", genres=2, tracks=2, seconds=1.5)
    song = tmp_path / "music" / "genre0" / "artist00" / "song0.wav"
    (tmp_path / "music" / "genre0" / "copy.wav").write_bytes(song.read_bytes())
    (tmp_path / "music" / "genre1" / "bad.wav").touch()
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "1 of 6 tracks is useless, 0 more have faults" in printed
    assert "2 tracks are only 1 recording (pairs: 1 exact, 0 near)" in printed
    assert "leave out 2 tracks with" in printed


def test_all_files_may_be_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for genre in ("a", "b"):
        (tmp_path / "music" / genre).mkdir(parents=True)
        (tmp_path / "music" / genre / "song[1].wav").write_text("no audio")
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "out") == 0
    captured = capsys.readouterr()
    assert "2 of 2 tracks are useless" in captured.out
    assert "song[1].wav" in captured.out
    assert "Traceback" not in captured.err


def test_data_set_without_a_track(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "music" / "rock").mkdir(parents=True)
    assert run_cli("audit", tmp_path / "music", "--data=GTZAN", "--out", tmp_path / "out") == 0
    assert "0 of 0 tracks are useless" in capsys.readouterr().out
    assert (tmp_path / "out" / "genres.csv").read_text().count("\n") == 1


def test_genre_may_begin_like_a_comment(tmp_path: Path) -> None:
    for genre in ("#1 hits", "b"):
        for number in range(3):
            path = tmp_path / "music" / genre / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(number, number, 1.0), 22050)
    (tmp_path / "music" / "#1 hits" / "bad.wav").write_text("no audio")
    assert run_cli("audit", tmp_path / "music", "--out", tmp_path / "out") == 0
    excluded = [path.name for path in read_exclusions(tmp_path / "out" / "exclude.txt")]
    assert "bad.wav" in excluded


def test_interrupt_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genre.audit.faults.Levels.push", interrupted)
    assert run_cli("audit", folder, "--out", tmp_path) == 130
    assert capsys.readouterr().err.splitlines() == ["genre: interrupted"]


def test_interrupt_does_not_wait_for_a_long_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.full(1 << 20, 0.1), 22050)
    track = Track(tmp_path / "long.wav", "x")
    stop = threading.Event()
    stop.set()
    assert examine(track, Limits(), stop).seconds < examine(track, Limits()).seconds
    running = examine_all([track] * 3, Limits())
    assert isinstance(running, Generator)
    next(running)
    running.close()  # returns


class TestSelectExclusions:
    def copies(self, tmp_path: Path, *genres: str) -> list[Examined]:
        copies = []
        for number, genre in enumerate(genres):
            path = tmp_path / f"{number}.wav"
            soundfile.write(path, tone(0, 0, 2.0), 22050)
            copies.append(examine(Track(path, genre), Limits()))
        return copies

    def test_copy_on_the_later_subset_stays(self, tmp_path: Path) -> None:
        copies = self.copies(tmp_path, "x", "x", "x")
        subsets: dict[Path, Subset] = {tmp_path / "0.wav": "train", tmp_path / "1.wav": "validation"}
        assert set(select_exclusions([], [copies], subsets, tmp_path)) == {tmp_path / "0.wav", tmp_path / "2.wav"}
        assert set(select_exclusions([], [copies], {}, tmp_path)) == {tmp_path / "1.wav", tmp_path / "2.wav"}

    def test_contested_copies_all_go(self, tmp_path: Path) -> None:
        copies = self.copies(tmp_path, "x", "y", "x")
        excluded = select_exclusions([], [copies], {}, tmp_path)
        assert list(excluded.values()) == ["contested: one recording as x and as y"] * 3
