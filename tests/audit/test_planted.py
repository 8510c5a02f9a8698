"""A corpus with every fault that an audit knows, and what it must say of it: all that is there, and nothing else."""

import csv
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.data.synthesis import render_track

from ..conftest import run_cli

RATE = 22050
GENRES = ("disco", "metal", "waltz")

#: The sound tracks: three artists with two tracks each in every genre.
SOUND = [f"{genre}/artist{artist}/{track}.wav" for genre in GENRES for artist in range(3) for track in range(2)]

#: File to what must be said of it: the beginning of the fault and whether the track is to be left out.
FAULTS = {
    "disco/text.wav": ("undecodable (Format not recognised)", True),
    "disco/cut_header.wav": ("undecodable (", True),
    "disco/no_bytes.mp3": ("empty (empty file)", True),
    "disco/no_frames.wav": ("empty (no audio frames)", True),
    "metal/nan.wav": ("not finite (", True),
    "metal/infinite.wav": ("not finite (", True),
    "metal/silent.wav": ("silent (100% of it below -60 dBFS in mono)", True),
    "metal/also_silent.wav": ("silent (100% of it below -60 dBFS in mono)", True),  # and no copy of the other one
    "metal/mostly_silent.wav": ("mostly silent (75% of it below -60 dBFS in mono)", False),
    "metal/cancelling.wav": ("silent (100% of it below -60 dBFS in mono: the channels cancel)", True),
    "metal/clipped.wav": ("clipped (", False),
    "waltz/short.wav": ("short (0.30 s)", False),
    "waltz/long.wav": ("long (0.4 min)", False),
    "waltz/half.mp3": ("cut off (", False),
    "waltz/telephone.wav": ("odd rate (8000 Hz)", False),
    "waltz/studio.wav": ("odd rate (96000 Hz)", False),
    "waltz/coarse.wav": ("8 bit (PCM_U8)", False),
}

#: Two files that are one recording: the kind of pair, offset in seconds and level in dB of the second one.
PAIRS = {
    ("disco/artist0/0.wav", "disco/copy.wav"): ("exact", 0.0, 0.0),
    ("disco/artist0/0.wav", "disco/copy.flac"): ("exact", 0.0, 0.0),
    ("disco/artist1/0.wav", "disco/cut.mp3"): ("near", 1.234, -6.0),
    ("metal/artist0/0.wav", "metal/louder.ogg"): ("near", 0.777, 6.0),
    ("metal/artist1/0.wav", "metal/resampled.wav"): ("near", -0.5, 0.0),
    ("metal/artist2/0.wav", "metal/inverted.wav"): ("near", 2.0, 0.0),
    ("metal/artist2/1.wav", "waltz/contested.wav"): ("exact", 0.0, 0.0),
}

#: What goes on the exclusion list beside the useless ones: of copies those without artist; of contested ones both.
COPIES = {
    *("disco/copy.wav", "disco/copy.flac", "disco/cut.mp3", "metal/louder.ogg", "metal/inverted.wav"),
    *("metal/resampled.wav", "metal/artist2/1.wav", "waltz/contested.wav"),
}


class Audit(NamedTuple):
    """What an audit has left behind."""

    root: Path
    out: Path
    printed: str

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


def music(genre: str, artist: int, track: int, seconds: float = 5.0, rate: int = RATE) -> NDArray[np.float32]:
    wave = render_track(genre, artist, track, seed=3, seconds=seconds, sample_rate=rate)
    scaled: NDArray[np.float32] = (0.4 * wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def write(path: Path, wave: NDArray[np.float32], rate: int = RATE, **encoding: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, **encoding)


def write_mp3(path: Path, wave: NDArray[np.float32], rate: int = RATE) -> None:
    """Constant 64 kbit/s."""
    write(path, wave, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
    assert path.stat().st_size * 8 / (len(wave) / rate) == pytest.approx(64000, rel=0.05)


def write_sound(root: Path) -> None:
    for genre in GENRES:
        for artist in range(3):
            for track in range(2):
                write(root / genre / f"artist{artist}" / f"{track}.wav", music(genre, artist, track), subtype="PCM_16")


def write_faults(root: Path) -> None:
    disco, metal, waltz = (root / genre for genre in GENRES)
    (disco / "text.wav").write_text("no audio\n" * 100)
    (disco / "cut_header.wav").write_bytes((disco / "artist0/0.wav").read_bytes()[:20])
    (disco / "no_bytes.mp3").touch()
    write(disco / "no_frames.wav", np.zeros(0, np.float32))
    wave = music("metal", 3, 0)
    for name, value in (("nan", np.nan), ("infinite", -np.inf)):
        spoilt = wave.copy()
        spoilt[len(wave) // 2] = value
        write(metal / f"{name}.wav", spoilt, subtype="FLOAT")
    write(metal / "silent.wav", np.zeros(RATE, np.float32))
    write(metal / "also_silent.wav", np.zeros(RATE, np.float32))
    write(metal / "mostly_silent.wav", np.concatenate([wave[:RATE], np.zeros(3 * RATE, np.float32)]))
    write(metal / "cancelling.wav", np.stack([wave, -wave], axis=1))
    write(metal / "clipped.wav", np.clip(6 * music("metal", 3, 1), -1, 1))
    write(waltz / "short.wav", music("waltz", 3, 0, 0.3))
    write(waltz / "long.wav", music("waltz", 3, 1, 25.0))
    write_mp3(waltz / "half.mp3", music("waltz", 3, 2))
    (waltz / "half.mp3").write_bytes((waltz / "half.mp3").read_bytes()[:20000])
    write(waltz / "telephone.wav", music("waltz", 4, 0, rate=8000), 8000)
    write(waltz / "studio.wav", music("waltz", 4, 1, rate=48000).repeat(2), 96000)
    write(waltz / "coarse.wav", music("waltz", 4, 2), subtype="PCM_U8")


def write_copies(root: Path) -> None:
    disco, metal, waltz = (root / genre for genre in GENRES)
    shutil.copy(disco / "artist0/0.wav", disco / "copy.wav")
    write(disco / "copy.flac", soundfile.read(disco / "artist0/0.wav", dtype="int16")[0])
    write_mp3(disco / "cut.mp3", 0.5012 * music("disco", 1, 0)[round(1.234 * RATE) :])
    write(metal / "louder.ogg", 1.9953 * music("metal", 0, 0)[round(0.777 * RATE) :])
    lead = 0.1 * np.random.default_rng(0).standard_normal(RATE // 2)
    longer = np.concatenate([lead, music("metal", 1, 0)]).astype(np.float32)
    write(metal / "resampled.wav", soxr.resample(longer, RATE, 44100), 44100)
    write(metal / "inverted.wav", -music("metal", 2, 0)[2 * RATE :])
    shutil.copy(metal / "artist2/1.wav", waltz / "contested.wav")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    folder = tmp_path_factory.mktemp("planted")
    write_sound(folder / "music")
    write_faults(folder / "music")
    write_copies(folder / "music")
    with pytest.MonkeyPatch.context() as patch, (folder / "printed").open("w") as printed:
        patch.setattr("sys.stdout", printed)
        patch.setenv("COLUMNS", "200")
        assert run_cli("audit", folder / "music", "--out", folder / "out", "--longest", "20") == 0
    return Audit(folder / "music", folder / "out", (folder / "printed").read_text())


def test_every_track_is_listed(audited: Audit) -> None:
    rows = {row["path"]: row for row in audited.rows("tracks.csv")}
    assert set(rows) == {*SOUND, *FAULTS, *(other for _, other in PAIRS)}
    row = rows["metal/cancelling.wav"]
    assert (row["genre"], row["seconds"], row["sample_rate"], row["channels"]) == ("metal", "5.000", "22050", "2")
    assert float(row["peak_dbfs"]) == pytest.approx(20 * np.log10(0.4), abs=0.02)
    expected = 10 * np.log10(np.mean(np.square(music("metal", 3, 0))))
    assert float(row["rms_dbfs"]) == pytest.approx(expected, abs=0.02)
    assert rows["disco/artist1/0.wav"]["artist"] == "artist1"


def test_all_faults_are_found_and_none_that_is_not_there(audited: Audit) -> None:
    found = {row["path"]: row["faults"] for row in audited.rows("tracks.csv") if row["faults"]}
    assert set(found) == set(FAULTS)
    for path, (text, _) in FAULTS.items():
        assert found[path].startswith(text)
        assert ";" not in found[path]  # one fault each


def test_all_pairs_are_found_and_none_that_is_not_there(audited: Audit) -> None:
    found = {(row["track_a"], row["track_b"]): row for row in audited.rows("pairs.csv")}
    swapped = {(b, a): row for (a, b), row in found.items()}
    assert {pair if pair in PAIRS else pair[::-1] for pair in found} == set(PAIRS)
    for pair, (kind, offset, level) in PAIRS.items():
        row, sign = (found[pair], 1) if pair in found else (swapped[pair], -1)
        assert row["kind"] == kind
        assert float(row["offset_seconds"]) == pytest.approx(sign * offset, abs=0.002)
        assert float(row["level_db"]) == pytest.approx(sign * level, abs=0.5)  # a codec takes some of the treble
        assert float(row["correlation"]) > 0.9


def test_exclusion_list_names_the_useless_and_all_copies_but_one(audited: Audit) -> None:
    lines = (audited.out / "exclude.txt").read_text(encoding="utf-8").splitlines()
    excluded = [line for line in lines if line and not line.startswith("#")]
    assert sorted(excluded) == sorted({path for path, (_, fatal) in FAULTS.items() if fatal} | COPIES)
    assert any(line.startswith("# contested: one recording as metal and as waltz") for line in lines)
    assert {row["path"] for row in audited.rows("tracks.csv") if row["exclude"]} == set(excluded)


@pytest.mark.parametrize("name", ["exclude.txt", "tracks.csv"])
def test_exclusion_list_is_taken_by_the_data(audited: Audit, name: str) -> None:
    data = Folder(audited.root, MelSpectrogram(), StratifiedSplit(), exclude=audited.out / name)
    useless = {path for path, (_, fatal) in FAULTS.items() if fatal}
    expected = {*SOUND, *FAULTS, *(other for _, other in PAIRS)} - useless - COPIES
    assert {track.path.relative_to(audited.root).as_posix() for track in data.corpus.tracks} == expected


def test_splits_that_tear_pairs_apart_are_named(audited: Audit) -> None:
    subsets = {
        name: {
            track.path.relative_to(audited.root).as_posix(): subset
            for subset, tracks in StratifiedSplit(by_artist=name == "by_artist")(
                Folder(audited.root, MelSpectrogram(), StratifiedSplit()).corpus
            ).items()
            for track in tracks
        }
        for name in ("stratified", "by_artist")
    }
    rows = audited.rows("pairs.csv")
    assert "official" not in rows[0]  # a folder has none
    for row in rows:
        for name, places in subsets.items():
            assert set(row[name].split("/")) == {places[row["track_a"]], places[row["track_b"]]}


def test_genres_are_counted(audited: Audit) -> None:
    rows = {row["genre"]: row for row in audited.rows("genres.csv")}
    assert {genre: int(row["tracks"]) for genre, row in rows.items()} == {"disco": 13, "metal": 16, "waltz": 13}
    assert all(row["artists"] == "3" for row in rows.values())
    assert rows["disco"]["unknown_artist"] == "7"
    assert float(rows["disco"]["largest_share"]) == pytest.approx(2 / 13, abs=0.001)


def test_terminal_shows_what_matters(audited: Audit) -> None:
    for text in (
        "42 tracks of 3 genres, read as Folder",
        "9 of 42 tracks are useless, 8 more have faults",
        "13 tracks are only 6 recordings (pairs: 3 exact, 4 near); 1 with contested genres",
        "contested │",
        "disco/text.wav",
        "leave out 17 tracks with --data.exclude",
    ):
        assert text in audited.printed
