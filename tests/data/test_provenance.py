"""A track is known by its content wherever it lies, and a fit does not go on with other tracks."""

import shutil
from pathlib import Path

import pytest

from genre.data import Track
from genre.data.files import find_audio_files
from genre.data.provenance import Provenance, artist_digests, digest, digests, shared_artists
from genre.errors import GenreError


def tracks_of(folder: Path) -> list[Track]:
    return [Track(path, path.parent.name) for path in find_audio_files(folder)]


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
    heard = Provenance.of({"train": tracks[:10], "validation": tracks[10:14]})
    assert heard.count(tracks[8:13]) == {"train": 2, "validation": 3}
    assert heard.count(tracks[14:]) == {"train": 0, "validation": 0}


def test_excerpts_and_whole_tracks(folder: Path) -> None:
    whole = tracks_of(folder)[0]
    first, second = whole.cut(1.0, 0.5)
    assert Provenance.of({"train": [first]}).count([whole]) == {"train": 1}
    assert Provenance.of({"train": [whole]}).count([first, second]) == {"train": 2}
    assert Provenance.of({"train": [first]}).count([first, second]) == {"train": 1}


def test_artists_on_more_than_one_side() -> None:
    names = ["Nina Simone", " nina  SIMONE", None, "Ella", "Ella", "", "Bob"]
    tracks = [Track(Path(f"{i}.wav"), "jazz", name) for i, name in enumerate(names)]
    assert len(artist_digests(tracks)) == 3
    assert "Ella" not in str(artist_digests(tracks))

    def shared(*subsets: list[Track]) -> int:
        return shared_artists(*map(artist_digests, subsets))

    assert shared(tracks[:1], [], tracks[1:2]) == 1
    assert shared(tracks[:4], tracks[4:6], tracks[6:]) == 1
    assert shared(tracks, tracks, tracks) == 3
    assert shared(tracks[:3], tracks[3:6], tracks[6:]) == 0


def test_the_record_of_a_checkpoint(folder: Path) -> None:
    heard = Provenance.of({"train": tracks_of(folder)[:3], "validation": []})
    assert Provenance.read(vars(heard)) == heard
    assert Provenance.read(None) is None
    assert Provenance.read({"train": [], "validation": []}) is None  # as it was before artists were in it


def test_a_fit_goes_on_with_the_same_tracks_in_any_order_and_place(folder: Path, tmp_path: Path) -> None:
    tracks = tracks_of(folder)
    heard = Provenance.of({"train": tracks[:10], "validation": []})
    moved = shutil.copytree(folder, tmp_path / "moved")
    heard.require_same(Provenance.of({"train": tracks_of(moved)[:10][::-1]}))
    with pytest.raises(GenreError, match="trained on 10 tracks, of which 7 are among the 9 that this fit"):
        heard.require_same(Provenance.of({"train": tracks[3:12]}))
