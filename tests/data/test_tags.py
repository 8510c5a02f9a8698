"""Artists from real tags, written by mutagen into generated files."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

mutagen = pytest.importorskip("mutagen")

from mutagen.apev2 import APEv2
from mutagen.asf import ASFBoolAttribute, ASFTags, ASFUnicodeAttribute
from mutagen.id3 import ID3, TCMP, TPE1, TPE2, TXXX
from mutagen.mp4 import MP4Tags

from genre.data import CSV, Folder, MelSpectrogram, StratifiedSplit
from genre.data.splits import groups
from genre.data.tags import _by_name, read_artist
from genre.errors import GenreError

from ..conftest import QUICK, run_cli, tone

FORMATS = ("mp3", "wav", "aiff", "flac", "ogg")


def write(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(number % 3, number, 1.0), 22050)
    return path


def tag(path: Path, artists: list[str], album_artist: str = "", compilation: bool = False) -> Path:
    """Tags a file in its own format: ID3 for mp3, wav and aiff, Vorbis comments for flac and ogg."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        frames: list[TPE1 | TPE2] = [TPE1(3, artists)] if artists else []
        frames += [TPE2(3, [album_artist])] if album_artist else []
        for frame in [*frames, TCMP(3, ["1"])] if compilation else frames:
            file.tags.add(frame)
    else:
        comments = {"ARTIST": artists, "AlbumArtist": [album_artist] if album_artist else []}
        for name, values in (comments | {"COMPILATION": ["1"] if compilation else []}).items():
            if values:
                file.tags[name] = values
    file.save()
    return path


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize(
    ("artists", "album_artist", "compilation", "expected"),
    [
        (["Nina  Simone "], "", False, "Nina Simone"),
        (["Beyoncé", "Jay-Z"], "", False, "Beyoncé"),
        (["Ann; Bob"], "", False, "Ann"),
        (["AC/DC"], "", False, "AC/DC"),
        (["Ann feat. Bob"], "Ann", False, "Ann"),
        ([], "Ann", False, "Ann"),
        (["Ann"], "Various  ARTISTS", False, "Ann"),
        (["Ann"], "DJ Mix", True, "Ann"),
        ([], "DJ Mix", True, "DJ Mix"),
        (["Various Artists"], "V.A.", False, None),
        (["\u200b "], "", False, None),
        ([], "", False, None),
    ],
)
def test_artist_of_a_file(
    tmp_path: Path, ending: str, artists: list[str], album_artist: str, compilation: bool, expected: str | None
) -> None:
    assert read_artist(tag(write(tmp_path / f"a.{ending}"), artists, album_artist, compilation)) == expected


def mp4(artist: str, album_artist: str, compilation: bool) -> Any:
    tags = MP4Tags()
    tags["\xa9ART"], tags["aART"], tags["cpil"] = [artist, "Bob"], [album_artist], compilation
    return tags


def asf(artist: str, album_artist: str, compilation: bool) -> Any:
    tags = ASFTags()
    tags["Author"] = [ASFUnicodeAttribute(artist), ASFUnicodeAttribute("Bob")]
    tags["WM/AlbumArtist"] = [ASFUnicodeAttribute(album_artist)]
    tags["WM/IsCompilation"] = [ASFBoolAttribute(compilation)]
    return tags


def ape(artist: str, album_artist: str, compilation: bool) -> Any:
    tags = APEv2()
    tags["Artist"], tags["Album Artist"], tags["Compilation"] = [artist, "Bob"], album_artist, str(int(compilation))
    return tags


def of_foobar(artist: str, album_artist: str, compilation: bool) -> Any:
    tags = ID3()
    for frame in (TPE1(3, [artist, "Bob"]), TXXX(3, "ALBUM ARTIST", [album_artist]), TCMP(3, [str(int(compilation))])):
        tags.add(frame)
    return tags


@pytest.mark.parametrize("make", [mp4, asf, ape, of_foobar])
@pytest.mark.parametrize(
    ("album_artist", "compilation", "expected"),
    [("Cat", False, "Cat"), ("Cat", True, "Ann"), ("Various Artists", False, "Ann")],
)
def test_other_kinds_of_tags(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[str, str, bool], Any],
    album_artist: str,
    compilation: bool,
    expected: str,
) -> None:
    class File:
        tags = make("Ann", album_artist, compilation)

    assert _by_name(File.tags)
    monkeypatch.setattr(mutagen, "File", lambda path: File)
    assert read_artist(tmp_path / "a.any") == expected


def test_mp3_with_ape_tags_alone(tmp_path: Path) -> None:
    tags = APEv2()
    tags["Artist"] = ["Ann", "Bob"]
    tags.save(write(tmp_path / "a.mp3"))
    assert read_artist(tmp_path / "a.mp3") == "Ann"


@pytest.mark.parametrize("content", [b"", b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f" + b"x" * 99, b"fLaC" + b"\xff" * 99, None])
@pytest.mark.parametrize("ending", FORMATS)
def test_unreadable_tags_are_those_of_an_unknown_artist(tmp_path: Path, ending: str, content: bytes | None) -> None:
    path = tmp_path / f"a.{ending}"
    if content is not None:
        path.write_bytes(content)
    assert read_artist(path) is None


#: Album artists of each genre, of which the first four are two in two spellings each.
ARTISTS = ("Beyonce\u0301", "BEYONCÉ", "The Band", "the  band", "Ella", "Nina", "Bob", "Zed")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres of 16 tracks each in folders of albums, two tracks for each of ARTISTS; two tracks have no tags."""
    root = tmp_path_factory.mktemp("library")
    for genre in range(2):
        for number in range(16):
            path = root / f"genre{genre}" / f"album{number % 4}" / f"{number}.{FORMATS[number % 5]}"
            artist = f"{ARTISTS[number % 8]} {genre}"
            tag(write(path, 16 * genre + number), [f"{artist} feat. {number}"], artist)
        write(root / f"genre{genre}" / "untagged.wav", 50 + genre)
    return root


def test_grouped_splits_go_by_the_tags(library: Path, caplog: pytest.LogCaptureFixture) -> None:
    for seed in range(4):
        data = Folder(library, MelSpectrogram(), StratifiedSplit(0.25, 0.25, True, seed), artist="tags")
        assert len(set(groups(data.corpus.tracks))) == 2 * 6 + 2
        subsets = [set(groups(tracks)) for tracks in data.partition.values()]
        names = {name.casefold() for subset in subsets for name in subset if "The Band" in name or "eyonc" in name}
        assert len(names) == 4
        assert sum(map(len, subsets)) == 14
    assert caplog.messages[0] == (
        f"2 of 34 files have no artist tag, such as {library / 'genre0' / 'untagged.wav'}: each of them counts as an "
        "artist of its own"
    )


def test_by_default_artists_are_sub_folders(library: Path) -> None:
    tracks = Folder(library, MelSpectrogram(), StratifiedSplit()).corpus.tracks
    assert {track.artist for track in tracks} == {None, "album0", "album1", "album2", "album3"}


def test_fit_by_the_artists_of_tags(library: Path, tmp_path: Path) -> None:
    options = [*QUICK, f"--data.root={library}", "--data.artist=tags", f"--runs_dir={tmp_path}"]
    assert run_cli("fit", *options) == 0
    run = tmp_path / "SpectralCNN" / "version_0"
    metrics = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["artists_shared"] == 0
    assert "artist: tags" in (run / "config.yaml").read_text(encoding="utf-8")
    with (run / "report" / "predictions.csv").open(encoding="utf-8", newline="") as lines:
        artists = {row["artist"] for row in csv.DictReader(lines)}
    assert artists <= {"", *(f"{name} {genre}" for name in map(" ".join, map(str.split, ARTISTS)) for genre in (0, 1))}
    assert len(artists) > 1


def test_audit_counts_the_artists_of_tags(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("audit", str(library), "--artist", "tags", f"--out={tmp_path}") == 0
    out = capsys.readouterr().out
    assert "2 of 34 files have no artist tag" in out
    rows = (tmp_path / "genres.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[3:5] for row in rows[1:]] == [["6", "1"], ["6", "1"]]


def test_a_list_without_artists(library: Path, tmp_path: Path) -> None:
    rows = [f"{library / 'genre0' / 'album1' / '1.wav'},a", f"{library / 'genre1' / 'untagged.wav'},b"]
    (tmp_path / "tracks.csv").write_text("\n".join(["path,genre", *rows]), encoding="utf-8")
    data = CSV(tmp_path / "tracks.csv", MelSpectrogram(), StratifiedSplit(), artist="tags")
    assert [track.artist for track in data.corpus.tracks] == ["BEYONCÉ 0", None]


def test_without_mutagen_one_line(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mutagen", None)
    options = [*QUICK, f"--data.root={library}", "--data.artist=tags", f"--runs_dir={tmp_path}"]
    for verb in (["fit", *options], ["audit", str(library), "--artist=tags", f"--out={tmp_path / 'audit'}"]):
        assert run_cli(*verb) == 1
        assert capsys.readouterr().err.splitlines()[-1] == (
            "genre: error: artist: tags needs the package mutagen, which is not installed; install it with: "
            "pip install 'lightning-genre[tags]'"
        )
    assert not (tmp_path / "SpectralCNN").exists()


def test_another_source_of_artists(library: Path) -> None:
    with pytest.raises(GenreError, match=r"artist is tags, or None where .* found 'tag'"):
        Folder(library, MelSpectrogram(), StratifiedSplit(), artist="tag")  # type: ignore[arg-type]
