from pathlib import Path

import pytest

from genre.data import CSV, GTZAN, Folder, MelSpectrogram, OfficialSplit, StratifiedSplit
from genre.data.exclusions import read_exclusions
from genre.data.track import SUBSETS
from genre.errors import GenreError

from ..conftest import QUICK, run_cli


def names(data: Folder | CSV | GTZAN) -> set[str]:
    return {"/".join(track.path.parts[-3:]) for track in data.corpus.tracks}


def make(root: Path, source: Path | str | None) -> Folder:
    return Folder(root, MelSpectrogram(), StratifiedSplit(), exclude=source)


DROPPED = {"genre0/artist00/song0.wav", "genre2/artist23/song7.wav"}


def entries(folder: Path) -> dict[str, list[str]]:
    """Ways to write the same two tracks."""
    return {
        "relative": sorted(DROPPED),
        "absolute": [str(folder / path) for path in DROPPED],
        "roundabout": ["./genre0/../genre0/artist00/song0.wav", str(folder / "genre2/artist23/../artist23/song7.wav")],
        "comments": ["# bad", "", "genre0/artist00/song0.wav", "  genre2/artist23/song7.wav  ", "#genre1/artist10/x"],
    }


@pytest.mark.parametrize("way", ["relative", "absolute", "roundabout", "comments"])
def test_listed_tracks_are_dropped(folder: Path, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "list.txt"
    source.write_text("\n".join(entries(folder)[way]))
    assert names(make(folder, None)) - names(make(folder, source)) == DROPPED
    assert [record.getMessage() for record in caplog.records] == [f"{source}: leaves out 2 of 24 tracks"]


def test_root_and_folder_may_be_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "music").symlink_to(folder)
    (tmp_path / "list.txt").write_text("\n".join(str(folder / path) for path in DROPPED))
    data = make(tmp_path / "music", tmp_path / "list.txt")
    assert len(data.corpus.tracks) == 22


def test_linked_track_is_not_dropped_with_what_it_links_to(folder: Path, tmp_path: Path) -> None:
    for genre in ("a", "b"):
        (tmp_path / genre).mkdir()
        for number in (0, 1):
            (tmp_path / genre / f"{number}.wav").symlink_to(folder / "genre0/artist00/song0.wav")
    (tmp_path / "list.txt").write_text("a/0.wav")
    assert {track.path.name for track in make(tmp_path, tmp_path / "list.txt").corpus.tracks[:1]} == {"1.wav"}
    assert len(make(tmp_path, tmp_path / "list.txt").corpus.tracks) == 3


@pytest.mark.parametrize("columns", ["path,exclude", "exclude,genre,path", "path"])
def test_csv(folder: Path, tmp_path: Path, columns: str) -> None:
    rows = [{"path": path, "exclude": "silent", "genre": "x"} for path in sorted(DROPPED)]
    if "exclude" in columns:
        rows.append({"path": "genre1/artist10/song0.wav", "exclude": "", "genre": "x"})
    text = [columns, *(",".join(row[name] for name in columns.split(",")) for row in rows)]
    (tmp_path / "list.csv").write_text("\n".join(text))
    assert names(make(folder, None)) - names(make(folder, tmp_path / "list.csv")) == DROPPED


def test_entries_that_match_nothing_are_counted(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "list.txt").write_text("genre0/artist00/song0.wav\nnowhere.wav\ngenre0/artist00\n")
    assert len(make(folder, tmp_path / "list.txt").corpus.tracks) == 23
    assert (
        caplog.records[-1]
        .getMessage()
        .endswith(f"leaves out 1 of 24 tracks; 2 of its 3 entries match no track below {folder}")
    )


def test_of_a_csv_data_set_start_at_its_folder(folder: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(folder)},{path.parts[-3]}" for path in sorted(folder.rglob("*.wav"))]
    tracks = folder / "tracks_for_exclusion.csv"
    tracks.write_text("\n".join(["path,genre", *rows]))
    (tmp_path / "list.txt").write_text("\n".join(DROPPED))
    data = CSV(tracks, MelSpectrogram(), StratifiedSplit(), exclude=tmp_path / "list.txt")
    assert len(data.corpus.tracks) == 22
    tracks.unlink()


def test_come_before_the_split(gtzan: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = GTZAN(gtzan, MelSpectrogram(), OfficialSplit()).partition
    dropped = whole["test"][0]
    (tmp_path / "list.txt").write_text(str(dropped.path.relative_to(gtzan)))
    data = GTZAN(gtzan, MelSpectrogram(), OfficialSplit(), exclude=tmp_path / "list.txt")
    assert data.partition == {subset: [track for track in whole[subset] if track != dropped] for subset in SUBSETS}
    missing = [record.getMessage() for record in caplog.records if "not on disk" in record.getMessage()]
    assert "850 of its 930" in missing[0]
    assert "850 of its 929" in missing[1]  # what is left out on purpose is not missing


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.txt", None, "no such file or directory, expected an exclusion list .* check data.exclude"),
        ("folder", "", "is a directory, expected an exclusion list"),
        ("list.txt", b"\xff\xfe\x00\xd8", "found no text in UTF-8"),
        ("list.csv", "file,reason\na,b\n", "found the columns file, reason; expected path among them"),
        ("list.csv", "", "found the columns none; expected path among them"),
    ],
)
def test_unusable_list_is_one_clear_line(tmp_path: Path, name: str, content: str | bytes | None, message: str) -> None:
    source = tmp_path / name
    if name == "folder":
        source.mkdir()
    elif isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        source.write_text(content)
    with pytest.raises(GenreError, match=message) as caught:
        read_exclusions(source)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(source))


def test_list_that_leaves_one_genre(folder: Path, tmp_path: Path) -> None:
    rest = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.wav") if "genre0" not in path.parts)
    (tmp_path / "list.txt").write_text("\n".join(rest))
    with pytest.raises(GenreError, match=r"found 8 tracks of 1 genre.* check data.root and data.exclude"):
        _ = make(folder, tmp_path / "list.txt").corpus


def test_missing_list_ends_a_fit_with_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (f"--data.root={folder}", f"--data.exclude={tmp_path / 'no.txt'}", f"--runs_dir={tmp_path}")
    assert run_cli("fit", *QUICK, *options) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert errors == [line for line in errors if "no.txt: no such file or directory" in line]
    assert len(errors) == 1
