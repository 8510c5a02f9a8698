"""A track is known by its content wherever it lies, and a fit does not go on with other tracks."""

import shutil
from pathlib import Path

import pytest

from genre.data import Track
from genre.data.folder import audio_files
from genre.data.heard import count_heard, digest, digests, require_same
from genre.errors import GenreError


def tracks_of(folder: Path) -> list[Track]:
    return [Track(path, path.parent.name) for path in audio_files(folder)]


def test_a_copy_under_another_name_is_the_same_and_all_others_differ(folder: Path, tmp_path: Path) -> None:
    tracks = tracks_of(folder)
    assert len(set(digests(tracks))) == len(tracks) == 24
    copy = shutil.copy(tracks[5].path, tmp_path / "another name.WAV")
    assert digest(Track(Path(copy), "unknown")) == digest(tracks[5])


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_byte_makes_another_file(tmp_path: Path, place: str) -> None:
    content = bytearray(range(256)) * 1024
    (tmp_path / "a.wav").write_bytes(content)
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    (tmp_path / "b.wav").write_bytes(content)
    assert digest(Track(tmp_path / "a.wav", "jazz")) != digest(Track(tmp_path / "b.wav", "jazz"))


def test_what_was_heard_is_counted_by_side(folder: Path) -> None:
    tracks = tracks_of(folder)
    heard = {"train": digests(tracks[:10]), "validation": digests(tracks[10:14])}
    assert count_heard(heard, tracks[8:13]) == {"train": 2, "validation": 3}
    assert count_heard(heard, tracks[14:]) == {"train": 0, "validation": 0}


def test_excerpts_and_whole_tracks(folder: Path) -> None:
    whole = tracks_of(folder)[0]
    first, second = whole.cut(1.0, 0.5)
    assert count_heard({"train": digests([first])}, [whole]) == {"train": 1}
    assert count_heard({"train": digests([whole])}, [first, second]) == {"train": 2}
    assert count_heard({"train": digests([first])}, [first, second]) == {"train": 1}


def test_a_fit_goes_on_with_the_same_tracks_in_any_order_and_place(folder: Path, tmp_path: Path) -> None:
    tracks = tracks_of(folder)
    heard = {"train": digests(tracks[:10]), "validation": []}
    moved = shutil.copytree(folder, tmp_path / "moved")
    require_same(heard, tracks_of(moved)[:10][::-1])
    require_same(None, tracks)
    with pytest.raises(GenreError, match="trained on 10 tracks, of which 7 are among the 9 that this fit"):
        require_same(heard, tracks[3:12])
