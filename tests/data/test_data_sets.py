import csv
import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genre.data import (
    CSV,
    GTZAN,
    Folder,
    GenreDataModule,
    OfficialSplit,
    Spectrogram,
    StratifiedSplit,
    Synthetic,
    Track,
)
from genre.data.gtzan import GENRES, read_artists
from genre.data.synthetic import write_corpus
from genre.data.track import SUBSETS
from genre.errors import GenreError

from ..conftest import write_folder


def data(kind: type[GenreDataModule], root: Path | str, **arguments: Any) -> GenreDataModule:
    return kind(root, Spectrogram(), arguments.pop("split", OfficialSplit()), **arguments)


def touch(root: Path, *names: str) -> Path:
    """Empty files: listing tracks opens none of them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(kind: type[GenreDataModule], root: Path) -> list[tuple[str, str, str | None]]:
    """Path below the root, genre and artist of every track."""
    tracks = data(kind, root).corpus.tracks
    return [(track.path.relative_to(root).as_posix(), track.genre, track.artist) for track in tracks]


def refusal(kind: type[GenreDataModule], root: Path) -> str:
    """The one line that a wrong root is refused with."""
    with pytest.raises(GenreError) as caught:
        _ = data(kind, root).corpus
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestGTZAN:
    @pytest.mark.parametrize(
        "layout", ["genres_original/{}.wav", "genres/{}.au", "{}.wav", "gtzan/Data/{}.wav", "a/{}.WAV"]
    )
    def test_layouts(self, tmp_path: Path, layout: str) -> None:
        names = ("blues/blues.00000", "blues/blues.00029", "rock/rock.00099")
        touch(tmp_path, *map(layout.format, names))
        assert listed(GTZAN, tmp_path) == [
            (layout.format(names[0]), "blues", "John Lee Hooker"),
            (layout.format(names[1]), "blues", "Kelly Joe Phelps"),
            (layout.format(names[2]), "rock", read_artists()["rock.00099"]),
        ]

    def test_deeper_than_two_levels(self, tmp_path: Path) -> None:
        touch(tmp_path, "a/b/c/blues/blues.00000.wav", "a/b/c/rock/rock.00000.wav")
        message = refusal(GTZAN, tmp_path)
        assert message.startswith(f"{tmp_path}: found no folder of a GTZAN genre (blues, classical, country, …)")
        assert len(data(GTZAN, tmp_path / "a").corpus.tracks) == 2

    def test_other_files_are_passed_over(self, tmp_path: Path) -> None:
        touch(
            tmp_path,
            "genres/blues/blues.00000.au",
            "genres/blues/blues.00000.txt",
            "genres/blues/._blues.00001.au",
            "genres/blues/cover.jpg",
            "genres/rock/rock.00000.au",
            "genres/bextract_single.mf",
            "images_original/blues/blues00000.png",
        )
        assert [path for path, *_ in listed(GTZAN, tmp_path)] == [
            "genres/blues/blues.00000.au",
            "genres/rock/rock.00000.au",
        ]

    def test_audio_that_is_passed_over_is_counted(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        base = tmp_path / "gtzan" / "genres_original"
        touch(base, "jazz/jazz.00000.wav", "rock/rock.00000.wav", "rock/rock.00001.au", "rock/.rock.00002.wav")
        touch(base.parent, "loose.wav")  # not below the folder that holds the genres
        assert len(data(GTZAN, tmp_path).corpus.tracks) == 3
        assert not caplog.records
        touch(base, "rock/B.MP3")
        assert len(data(GTZAN, tmp_path).corpus.tracks) == 3
        touch(base, "Hip Hop/a.wav", "jazz/sub/deep/A.WAV", "rock/cover.jpg")
        (base / "rock" / "gone.flac").symlink_to("nowhere.flac")
        assert len(data(GTZAN, tmp_path).corpus.tracks) == 3
        advice = f"; as a folder (--data Folder, with {base} as the root) all would be read"
        assert caplog.messages == [
            f"1 audio file below {base} is not named as GTZAN's tracks and is passed over, such as {base}/rock/B.MP3"
            + advice,
            f"4 audio files below {base} are not named as GTZAN's tracks and are passed over, such as "
            f"{base}/Hip Hop/a.wav" + advice,
        ]

    def test_track_of_both_kinds_counts_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        touch(tmp_path, *(f"{genre}/{genre}.00000{ending}" for genre in GENRES for ending in (".au", ".wav")))
        assert len(data(GTZAN, tmp_path).corpus.tracks) == 10
        assert not caplog.records  # the other format of a track is none that is passed over

    def test_track_without_a_known_artist(self, tmp_path: Path) -> None:
        unknown = next(name for name, artist in read_artists().items() if not artist)
        genre = unknown.partition(".")[0]
        touch(tmp_path, f"{genre}/{unknown}.wav", f"{genre}/{genre}.99999.wav", "rock/rock.00000.wav")
        artists = {track.name: track.artist for track in data(GTZAN, tmp_path).corpus.tracks}
        assert artists[unknown] is None
        assert artists[f"{genre}.99999"] is None

    def test_wrong_roots(self, tmp_path: Path) -> None:
        assert (
            refusal(GTZAN, tmp_path / "no")
            == f"{tmp_path / 'no'}: found nothing, expected a folder of audio; check data.root"
        )
        (tmp_path / "file").touch()
        assert "found a file, expected a folder of audio; check data.root" in refusal(GTZAN, tmp_path / "file")
        (tmp_path / "empty").mkdir()
        assert "data.root should hold genres_original/ or genres/" in refusal(GTZAN, tmp_path / "empty")
        (tmp_path / "hollow" / "blues").mkdir(parents=True)
        assert "found 0 tracks of 0 genre(s) for GTZAN, expected at least 2 genres" in refusal(
            GTZAN, tmp_path / "hollow"
        )
        touch(tmp_path / "one", "blues/blues.00000.wav")
        assert "found 1 tracks of 1 genre(s)" in refusal(GTZAN, tmp_path / "one")


class TestGTZANMini:
    @pytest.fixture
    def mini(self, gtzan_mini: Path) -> GenreDataModule:
        return data(GTZAN, gtzan_mini)

    def test_tracks_are_those_of_its_index(self, mini: GenreDataModule, gtzan_mini: Path) -> None:
        with (gtzan_mini / "index.csv").open(encoding="utf-8", newline="") as lines:
            index = {(row["path"], row["genre"], row["artist"] or None) for row in csv.DictReader(lines)}
        found = listed(GTZAN, gtzan_mini)
        assert len(found) == 368
        assert set(found) == index
        assert mini.genres == list(GENRES)

    def test_official_split(self, mini: GenreDataModule, caplog: pytest.LogCaptureFixture) -> None:
        subsets = {subset: len(mini.partition[subset]) for subset in SUBSETS}
        assert subsets == {"train": 233, "validation": 98, "test": 0}
        assert caplog.messages == [
            "official split: 599 of its 930 tracks are not on disk (210 of train, 99 of validation, 290 of test)"
        ]
        assert mini.test_subset == "validation"

    def test_official_sides_are_those_of_its_index(self, mini: GenreDataModule, gtzan_mini: Path) -> None:
        with (gtzan_mini / "index.csv").open(encoding="utf-8", newline="") as lines:
            index = {Path(row["path"]).stem: row["fault_filtered_split"] for row in csv.DictReader(lines)}
        for subset, part in {"train": "train", "validation": "valid"}.items():
            names = {track.name for track in mini.partition[subset]}  # type: ignore[index]
            assert names == {name for name, where in index.items() if where == part}


class TestFolder:
    def test_nested_folders_tell_the_artist(self, tmp_path: Path) -> None:
        touch(tmp_path, "jazz/one.wav", "jazz/Monk/two.flac", "jazz/Monk/1957/live/three.ogg", "rock/Muse/four.mp3")
        assert listed(Folder, tmp_path) == [
            ("jazz/Monk/1957/live/three.ogg", "jazz", "Monk"),
            ("jazz/Monk/two.flac", "jazz", "Monk"),
            ("jazz/one.wav", "jazz", None),
            ("rock/Muse/four.mp3", "rock", "Muse"),
        ]

    def test_only_audio_that_is_not_hidden(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        touch(
            tmp_path,
            "jazz/a.wav",
            "jazz/.b.wav",
            "jazz/.cache/c.wav",
            "jazz/Monk/.trash/d.wav",
            "jazz/cover.jpg",
            "jazz/list.m3u",
            "jazz/wav",
            "rock/e.wav",
            ".git/f.wav",
            "loose.wav",
            "notes/readme.txt",
        )
        (tmp_path / "jazz" / "folder.wav").mkdir()
        assert [path for path, *_ in listed(Folder, tmp_path)] == ["jazz/a.wav", "rock/e.wav"]
        assert caplog.messages == [
            f"1 audio file below {tmp_path} is in no genre's folder and is passed over, such as {tmp_path}/loose.wav",
            f"1 folder yields no track, and no genre: {tmp_path}/notes",
        ]
        assert data(Folder, tmp_path).genres == ["jazz", "rock"]

    def test_link_that_leads_nowhere_becomes_a_bad_file(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_folder(tmp_path, genres=2)
        links = {tmp_path / "genre0" / "dangling.wav": "nowhere.wav", tmp_path / "genre1" / "loop.wav": "loop.wav"}
        for link, target in links.items():
            link.symlink_to(target)
        song, folder = (tmp_path / "genre0" / "artist00" / name for name in ("link.wav", "folder.wav"))
        song.symlink_to("song0.wav")
        folder.symlink_to(tmp_path, target_is_directory=True)
        module = data(Folder, tmp_path, split=StratifiedSplit(0.2, 0.2))
        assert len(module.corpus.tracks) == 19
        read = [track.path for subset in (*SUBSETS, *SUBSETS) for track in module.tracks(subset)]
        assert len(set(read)) == 17
        assert song in read
        assert module.bad_files == dict.fromkeys(links, "the link leads nowhere")
        first, *others = caplog.messages
        songs = f"{song} and {song.with_name('song0.wav')}"
        assert first.startswith(f"1 file(s) are listed more than once by links, such as {songs}: the same music")
        assert sorted(others) == [f"skipped {link}: the link leads nowhere" for link in links]

    def test_linked_folders_are_entered_but_not_in_circles(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        music, store = tmp_path / "music", tmp_path / "store"
        touch(store, "albums/a.wav", "albums/b.wav", "jazz/c.wav")
        touch(music, "rock/d.wav")
        (music / "jazz").symlink_to(store / "jazz")
        (music / "rock" / "artist").symlink_to(store / "albums")
        (music / "rock" / "upwards").symlink_to(music)
        (store / "albums" / "in circles").symlink_to(music / "rock")
        assert [path for path, *_ in listed(Folder, music)] == [
            "jazz/c.wav", "rock/artist/a.wav", "rock/artist/b.wav", "rock/d.wav"
        ]  # fmt: skip
        assert caplog.messages == []

    def test_root_one_level_too_high(self, tmp_path: Path) -> None:
        touch(tmp_path / "wide", "genres_original/jazz/a.wav", "genres_original/rock/b.wav", "images/jazz/a.png")
        assert refusal(Folder, tmp_path / "wide") == (
            f"{tmp_path}/wide: found audio in one sub-folder, genres_original, with 2 sub-folders; expected at least "
            "2 genres, one sub-folder per genre; if those in genres_original are the genres, point data.root at "
            f"{tmp_path}/wide/genres_original"
        )
        assert data(Folder, tmp_path / "wide" / "genres_original").genres == ["jazz", "rock"]

    def test_hidden_parent_of_the_root_does_not_matter(self, tmp_path: Path) -> None:
        touch(tmp_path / ".music", "jazz/a.wav", "rock/b.wav")
        assert len(listed(Folder, tmp_path / ".music")) == 2

    @pytest.mark.parametrize("ending", [".WAV", ".Mp3", ".FLAC", ".Ogg", ".AU", ".aif", ".AIFF", ".opus"])
    def test_endings_in_any_case(self, tmp_path: Path, ending: str) -> None:
        touch(tmp_path, f"jazz/a{ending}", "rock/b.wav")
        assert len(listed(Folder, tmp_path)) == 2

    def test_names_in_unicode(self, tmp_path: Path) -> None:
        touch(tmp_path, "ポップ/宇多田ヒカル/光 №1.wav", "forró/João [ao vivo]*.flac", "été/l'été – 50%.mp3")
        assert listed(Folder, tmp_path) == [
            ("forró/João [ao vivo]*.flac", "forró", None),
            ("été/l'été – 50%.mp3", "été", None),
            ("ポップ/宇多田ヒカル/光 №1.wav", "ポップ", "宇多田ヒカル"),
        ]

    def test_same_list_in_the_same_order(self, tmp_path: Path) -> None:
        for place, names in (("one", ("a", "b", "c", "d")), ("two", ("d", "b", "c", "a"))):
            touch(tmp_path / place, *(f"{genre}/{name}.wav" for name in names for genre in ("rock", "jazz")))
        assert listed(Folder, tmp_path / "one") == listed(Folder, tmp_path / "two")

    def test_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        touch(tmp_path / "music", "jazz/a.wav", "rock/b.wav")
        assert len(data(Folder, "~/music").corpus.tracks) == 2

    def test_wrong_roots(self, tmp_path: Path) -> None:
        assert (
            refusal(Folder, tmp_path / "no")
            == f"{tmp_path / 'no'}: found nothing, expected a folder of audio; check data.root"
        )
        (tmp_path / "file").touch()
        assert "found a file, expected a folder of audio; check data.root" in refusal(Folder, tmp_path / "file")
        touch(tmp_path / "texts", "jazz/a.txt", "loose.wav")
        message = refusal(Folder, tmp_path / "texts")
        assert message.startswith(
            f"{tmp_path / 'texts'}: found no audio file in its sub-folders; expected texts/<genre>/<file>"
        )
        assert ".wav" in message
        touch(tmp_path / "one", "jazz/a.wav", "jazz/b.wav")
        assert "found 2 tracks of 1 genre(s) for Folder, expected at least 2 genres" in refusal(
            Folder, tmp_path / "one"
        )


class TestCSV:
    def tracks(self, tmp_path: Path, text: str, encoding: str = "utf-8") -> list[Track]:
        path = tmp_path / "tracks.csv"
        path.write_text(text, encoding=encoding)
        return data(CSV, path).corpus.tracks

    def refusal(self, tmp_path: Path, text: str) -> str:
        path = tmp_path / "tracks.csv"
        path.write_text(text)
        message = refusal(CSV, path)
        assert message.startswith(str(path))
        return message.removeprefix(str(path))

    def test_relative_and_absolute_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("/")  # relative means: to the CSV
        found = self.tracks(tmp_path, "path,genre,artist\nmusic/a.wav,jazz,Monk\n/far/b.wav,rock,\n")
        assert found == [
            Track(tmp_path / "music/a.wav", "jazz", "Monk"),
            Track(Path("/far/b.wav"), "rock", None),
        ]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_byte_order_mark_and_line_ends(self, tmp_path: Path, encoding: str, newline: str) -> None:
        found = self.tracks(tmp_path, newline.join(("path,genre", "é.wav,forró", "b.wav,rock", "")), encoding)
        assert found == [Track(tmp_path / "é.wav", "forró"), Track(tmp_path / "b.wav", "rock")]

    def test_other_columns_in_any_order(self, tmp_path: Path) -> None:
        found = self.tracks(tmp_path, 'year,genre,artist,path\n1957,jazz,"Monk, T.",a.wav\n,rock,,"b, c.wav"\n')
        assert found == [Track(tmp_path / "a.wav", "jazz", "Monk, T."), Track(tmp_path / "b, c.wav", "rock")]

    def test_blanks_around_a_genre_make_no_other_one(self, tmp_path: Path) -> None:
        found = self.tracks(tmp_path, "path,genre,artist\n a.wav,jazz , Monk\nb.wav,\tjazz,Monk\nc.wav,rock,\n")
        assert [(track.path.name, track.genre, track.artist) for track in found] == [
            (" a.wav", "jazz", "Monk"),  # a file's name may begin with one
            ("b.wav", "jazz", "Monk"),
            ("c.wav", "rock", None),
        ]

    def test_rows_may_lack_the_artist(self, tmp_path: Path) -> None:
        found = self.tracks(tmp_path, "path,genre,artist\na.wav,jazz,Monk\nb.wav,rock\n")
        assert [track.artist for track in found] == ["Monk", None]

    @pytest.mark.parametrize(
        ("header", "columns"),
        [("file,genre", "file, genre"), ("path;genre", "path;genre"), ("Path,Genre", "Path, Genre"), ("path", "path")],
    )
    def test_missing_columns(self, tmp_path: Path, header: str, columns: str) -> None:
        message = self.refusal(tmp_path, f"{header}\na.wav,jazz\n")
        assert message == f": found the columns {columns}; expected path, genre and optionally artist"

    def test_empty_file(self, tmp_path: Path) -> None:
        assert self.refusal(tmp_path, "").startswith(": found the columns none; expected path, genre")
        assert "found 0 tracks of 0 genre(s) for CSV" in self.refusal(tmp_path, "path,genre\n")

    @pytest.mark.parametrize(
        ("rows", "line"),
        [
            ("a.wav,jazz\n,rock\n", 3),
            ("a.wav,\nb.wav,rock\n", 2),
            ("a.wav\nb.wav,rock\n", 2),
            ("a.wav,jazz\n\n\nb.wav,\n", 5),  # empty lines count as lines
            ('a.wav,"ja\nzz"\nb.wav,\n', 4),  # and so do those within quotes
        ],
    )
    def test_empty_cells(self, tmp_path: Path, rows: str, line: int) -> None:
        message = self.refusal(tmp_path, f"path,genre\n{rows}")
        assert message == f", line {line}: path or genre is empty; fill it in or remove the line"

    def test_track_listed_twice_would_stand_on_two_sides(self, tmp_path: Path) -> None:
        rows = [f"{number}.wav,{'jazz' if number % 2 else 'rock'}" for number in range(20)]
        message = self.refusal(tmp_path, "\n".join(["path,genre", *rows, "./7.wav,jazz"]))
        assert "7.wav" in message
        assert "line 22" in message

    def test_not_text(self, tmp_path: Path) -> None:
        path = tmp_path / "tracks.csv"
        path.write_bytes(b"path,genre\n\xff\xfe\x00,rock\n")
        assert refusal(CSV, path).startswith(f"{path}: not a CSV file in UTF-8")

    @pytest.mark.parametrize("root", ["no.csv", "."])
    def test_wrong_roots(self, tmp_path: Path, root: str) -> None:
        message = refusal(CSV, tmp_path / root)
        assert message == f"{tmp_path / root}: found no file, expected a CSV of tracks; check data.root"

    def test_absent_file_becomes_a_bad_one(self, tmp_path: Path) -> None:
        write_folder(tmp_path, genres=2)
        paths = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*.wav"))]
        rows = [f"{path},{path.parts[0]}" for path in [*paths, Path("genre0/absent.wav")]]
        (tmp_path / "tracks.csv").write_text("\n".join(["path,genre", *rows]))
        module = data(CSV, tmp_path / "tracks.csv", split=StratifiedSplit(0.2, 0.2))
        assert len(module.corpus.tracks) == 17  # the split depends on the list, not on the disk
        found = [track.path for subset in SUBSETS for track in module.tracks(subset)]
        assert sorted(found) == [tmp_path / path for path in paths]
        assert module.bad_files == {tmp_path / "genre0/absent.wav": "no such file"}


class TestSynthetic:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        small = functools.partial(write_corpus, tracks_per_genre=4, artists_per_genre=2, seconds=0.05)
        monkeypatch.setattr("genre.data.synthetic.write_corpus", small)

    def test_renders_itself(self, tmp_path: Path) -> None:
        module = data(Synthetic, tmp_path / "corpus", split=StratifiedSplit(0.5, 0.0, by_artist=True))
        tracks = module.corpus.tracks
        assert all(track.path.is_file() for track in tracks)
        assert Counter(track.genre for track in tracks) == dict.fromkeys(module.genres, 4)
        assert len(module.genres) == 10
        assert Counter(track.artist for track in tracks) == {f"{g}-{a}": 2 for g in module.genres for a in (0, 1)}
        assert module.tracks("train")
        assert not module.bad_files

    def test_once(self, tmp_path: Path) -> None:
        first = data(Synthetic, tmp_path).corpus
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
        assert data(Synthetic, tmp_path).corpus == first
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == before

    @pytest.mark.parametrize(
        "occupy", [lambda root: touch(root, "song.wav"), lambda root: root.touch()], ids=["folder", "file"]
    )
    def test_root_that_holds_something_else(self, tmp_path: Path, occupy: Callable[[Path], object]) -> None:
        root = tmp_path / "mine"
        occupy(root)
        assert str(root) in refusal(Synthetic, root)
