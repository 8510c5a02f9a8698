import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from genre.data import OfficialSplit, Spectrogram, StratifiedSplit
from genre.data.fma import FMA
from genre.data.track import SUBSETS

from ..conftest import tone
from .test_data_sets import data, listed, refusal, touch

#: The columns of the real file in their order, those left out that look like their neighbours.
COLUMNS = (
    ("album", "id"),
    ("album", "information"),
    ("artist", "bio"),
    ("artist", "id"),
    ("artist", "name"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "genres"),
    ("track", "title"),
)

#: Track number, artist's id, split, subset and top genre.
TRACKS = (
    ("2", "1", "training", "small", "Hip-Hop"),
    ("5", "1", "training", "small", "Hip-Hop"),
    ("10", "6", "validation", "small", "Pop"),
    ("140", "54", "test", "small", "Folk"),
    ("20", "4", "training", "large", ""),
    ("26", "4", "training", "large", "Pop"),
    ("182", "64", "validation", "medium", "Rock"),
    ("1082", "", "training", "small", "Pop"),
    ("144194", "2", "test", "medium", "Jazz"),
    ("155320", "3", "training", "large", "Country"),
)

Header = tuple[list[str], list[str], list[str]]


def as_it_is(header: Header) -> None:
    pass


def write_metadata(folder: Path, change: Callable[[Header], object] = as_it_is) -> Path:
    """Writes ``tracks.csv`` with quotes, commas and newlines in its cells, as those of the real one."""
    path = folder / "fma_metadata" / "tracks.csv"
    path.parent.mkdir(parents=True)
    header = (
        ["", *(one for one, _ in COLUMNS)],
        ["", *(two for _, two in COLUMNS)],
        ["track_id", *[""] * len(COLUMNS)],
    )
    change(header)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerows(header)
        for number, artist, split, subset, genre in TRACKS:
            bio = '<p>Born in Köln,\n"training","small",Rock\n\r\n</p>'
            writer.writerow(
                [number, "1", "", bio, artist, f"A, the {artist}th", split, subset, genre, "[21, 4]", "A\nB"]
            )
    return path


def mp3(number: str) -> str:
    return f"{number.zfill(6)[:3]}/{number.zfill(6)}.mp3"


def write_mp3s(audio: Path) -> Path:
    """Every track of :data:`TRACKS`, as empty files."""
    return touch(audio, *(mp3(number) for number, *_ in TRACKS))


def write_fma(root: Path, name: str = "fma_small") -> Path:
    """The whole layout: audio folder and metadata side by side."""
    write_metadata(root)
    write_mp3s(root / name)
    touch(root / name, "README.txt", "checksums")
    return root


SMALL = [
    ("000/000002.mp3", "Hip-Hop", "1"),
    ("000/000005.mp3", "Hip-Hop", "1"),
    ("000/000010.mp3", "Pop", "6"),
    ("000/000140.mp3", "Folk", "54"),
    ("001/001082.mp3", "Pop", None),
]


class TestTracks:
    def test_small(self, tmp_path: Path) -> None:
        assert listed(FMA, write_fma(tmp_path) / "fma_small") == SMALL
        assert data(FMA, tmp_path).genres == ["Folk", "Hip-Hop", "Pop"]

    @pytest.mark.parametrize(
        ("name", "numbers"),
        [
            ("fma_small", ["2", "5", "10", "140", "1082"]),
            ("fma_medium", ["2", "5", "10", "140", "182", "1082", "144194"]),
            ("fma_large", ["2", "5", "10", "140", "26", "182", "1082", "144194", "155320"]),  # 20 has no top genre
        ],
    )
    def test_subset_holds_the_smaller_ones(self, tmp_path: Path, name: str, numbers: list[str]) -> None:
        corpus = data(FMA, write_fma(tmp_path, name)).corpus
        assert [track.path for track in corpus.tracks] == [tmp_path / name / mp3(number) for number in numbers]
        assert set(corpus.official) == {number.zfill(6) for number in numbers}

    def test_metadata_in_the_root_or_beside_it(self, tmp_path: Path) -> None:
        write_mp3s(tmp_path / "one" / "fma_small")
        write_metadata(tmp_path)
        assert [path for path, *_ in listed(FMA, tmp_path / "one")] == [f"fma_small/{path}" for path, *_ in SMALL]
        write_mp3s(tmp_path / "two" / "fma_small")
        write_metadata(tmp_path / "two" / "fma_small")
        assert listed(FMA, tmp_path / "two" / "fma_small") == SMALL

    def test_audio_unzipped_into_a_folder_of_its_name(self, tmp_path: Path) -> None:
        write_mp3s(tmp_path / "fma_small" / "fma_small")
        write_metadata(tmp_path)
        assert len(listed(FMA, tmp_path / "fma_small")) == 5

    def test_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_fma(tmp_path)
        for place in (tmp_path, tmp_path / "fma_small"):
            monkeypatch.chdir(place)
            assert len(data(FMA, ".").corpus.tracks) == 5

    def test_other_files_are_passed_over(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_metadata(tmp_path)
        audio = touch(
            tmp_path / "fma_small", mp3("2"), mp3("10"), "000/._000005.mp3", "001/000140.mp3", "01/001082.mp3"
        )
        touch(audio, "000/5.mp3", "000/000005.wav", "000/999999.mp3", "000/000003.mp3", "000002.mp3")
        assert listed(FMA, audio) == [SMALL[0], SMALL[2]]
        assert caplog.messages == [
            f"7 audio files below {audio} are not in FMA's metadata and are passed over, such as {audio}/000/000003.mp3"
        ]

    def test_artist_by_name_where_there_is_no_id(self, tmp_path: Path) -> None:
        def rename(header: Header) -> None:
            header[1][header[1].index("id", 2)] = "handle"

        write_mp3s(tmp_path / "fma_small")
        write_metadata(tmp_path, rename)
        assert [artist for *_, artist in listed(FMA, tmp_path)][:3] == ["A, the 1th", "A, the 1th", "A, the 6th"]

    def test_folders_are_listed_and_files_not_looked_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_fma(tmp_path)
        looked_up: list[str] = []
        stat = os.stat

        def record(path: Any, **arguments: Any) -> os.stat_result:
            looked_up.append(str(path))
            return stat(path, **arguments)

        monkeypatch.setattr(os, "stat", record)
        assert len(data(FMA, tmp_path).corpus.tracks) == 5
        assert looked_up
        assert not [path for path in looked_up if path.endswith(".mp3")]


class TestOfficialSplit:
    def subsets(self, root: Path) -> dict[str, list[str]]:
        partition = data(FMA, root).partition
        return {subset: [track.name for track in partition[subset]] for subset in SUBSETS}

    def test_whole_subset(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert self.subsets(write_fma(tmp_path)) == {
            "train": ["000002", "000005", "001082"],
            "validation": ["000010"],
            "test": ["000140"],
        }
        assert not caplog.records

    def test_missing_files_are_counted(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_fma(tmp_path, "fma_medium")
        for number in ("5", "1082", "140"):
            (tmp_path / "fma_medium" / mp3(number)).unlink()
        assert self.subsets(tmp_path) == {"train": ["000002"], "validation": ["000010", "000182"], "test": ["144194"]}
        assert caplog.messages == [
            "official split: 3 of its 7 tracks are not on disk (2 of train, 1 of test)",
        ]

    def test_tracks_without_a_genre_are_not_missing(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.subsets(write_fma(tmp_path, "fma_large"))
        assert not caplog.records

    def test_bad_and_short_files(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Without audio as 099134 is, and shorter than a segment as six others are."""
        write_fma(tmp_path)
        audio = tmp_path / "fma_small"
        for number, seconds in {"2": 2.0, "10": 0.3, "140": 1.0}.items():
            soundfile.write(audio / mp3(number), tone(0, int(number), seconds, 44100), 44100)
        (audio / mp3("5")).write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x00")
        kind = FMA(tmp_path, Spectrogram(), OfficialSplit(), segment_seconds=0.5, num_workers=0)
        assert [[track.name for track in kind.tracks(subset)] for subset in SUBSETS] == [
            ["000002"],
            ["000010"],
            ["000140"],
        ]
        assert sorted(kind.bad_files) == [audio / mp3("5"), audio / mp3("1082")]
        assert sum(message.startswith("skipped ") for message in caplog.messages) == 2
        (segment,) = list(kind.val_dataloader())
        assert segment.inputs.shape[-1] == kind.samples
        assert not segment.faults

    def test_split_by_artist(self, tmp_path: Path) -> None:
        write_fma(tmp_path, "fma_large")
        partition = data(FMA, tmp_path, split=StratifiedSplit(0.3, 0.3, by_artist=True)).partition
        subsets = {track.name: subset for subset in SUBSETS for track in partition[subset]}
        assert subsets["000002"] == subsets["000005"]


class TestErrors:
    def test_no_folder(self, tmp_path: Path) -> None:
        message = refusal(FMA, tmp_path / "no")
        assert message == f"{tmp_path / 'no'}: found nothing, expected a folder of audio; check data.root"

    def test_no_audio_folder(self, tmp_path: Path) -> None:
        write_metadata(tmp_path)
        assert refusal(FMA, tmp_path) == (
            f"{tmp_path}: found no folder fma_small or fma_medium or fma_large, expected one of them; "
            "point data.root at the one that is meant"
        )

    def test_several_audio_folders(self, tmp_path: Path) -> None:
        write_fma(tmp_path)
        write_mp3s(tmp_path / "fma_large")
        assert refusal(FMA, tmp_path) == (
            f"{tmp_path}: found fma_small, fma_large, expected one of them; point data.root at the one that is meant"
        )
        assert listed(FMA, tmp_path / "fma_small") == SMALL

    def test_no_metadata(self, tmp_path: Path) -> None:
        write_mp3s(tmp_path / "fma_small")
        assert refusal(FMA, tmp_path) == (
            f"{tmp_path}: found no fma_metadata/tracks.csv in it or beside it, expected FMA's; "
            "unzip fma_metadata.zip there"
        )

    def test_no_mp3(self, tmp_path: Path) -> None:
        write_metadata(tmp_path)
        audio = touch(tmp_path / "fma_small", "000/000002.wav", "000002.mp3")
        assert refusal(FMA, tmp_path) == (
            f"{audio}: found no mp3, expected files such as 000/000002.mp3; unzip fma_small.zip there"
        )

    def test_no_mp3_of_the_metadata(self, tmp_path: Path) -> None:
        write_metadata(tmp_path)
        touch(tmp_path / "fma_small", "000/000003.mp3")
        assert "found 0 tracks of 0 genre(s) for FMA, expected at least 2 genres" in refusal(FMA, tmp_path)

    @pytest.mark.parametrize(
        ("change", "missing"),
        [
            (lambda header: header[1].__setitem__(header[1].index("genre_top"), "genre"), "track.genre_top"),
            (lambda header: header[0].__setitem__(header[1].index("split"), "track"), "set.split"),
            (lambda header: [row.clear() for row in header[:1]], "set.split, set.subset, track.genre_top, artist.name"),
            (lambda header: header[2].__setitem__(0, "2"), "track_id"),
        ],
    )
    def test_wrong_header(self, tmp_path: Path, change: Callable[[Header], object], missing: str) -> None:
        write_mp3s(tmp_path / "fma_small")
        path = write_metadata(tmp_path, change)
        assert refusal(FMA, tmp_path) == (
            f"{path}: found no {missing} in the first three rows, expected FMA's header "
            "(category, column, track_id); unzip fma_metadata.zip anew"
        )

    def test_empty_cut_off_and_binary_metadata(self, tmp_path: Path) -> None:
        write_fma(tmp_path)
        path = tmp_path / "fma_metadata" / "tracks.csv"
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        lines = whole.count(b"\n")
        assert refusal(FMA, tmp_path).startswith(f"{path}, line {lines - 1}: found 9 cells, expected 11; unzip")
        path.write_bytes(b"")
        assert "found no set.split, set.subset" in refusal(FMA, tmp_path)
        path.write_bytes(b"PK\x03\x04\xff\xfe\x80")
        assert refusal(FMA, tmp_path).startswith(f"{path}: not a CSV file in UTF-8 (")
