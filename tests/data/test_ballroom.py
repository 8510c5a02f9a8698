import itertools
from pathlib import Path

import pytest
import soundfile

from genre.data import Spectrogram, StratifiedSplit
from genre.data.ballroom import DUPLICATES, Ballroom
from genre.data.track import SUBSETS
from genre.errors import GenreError

from ..conftest import tone
from .test_data_sets import data, listed, refusal, touch

WAVES = (
    "ChaChaCha/Albums-Fire-08.wav",
    "ChaChaCha/Media-103402.wav",
    "Jive/Albums-Commitments-06.wav",
    "Rumba-American/Media-105615.wav",
    "Rumba-International/Albums-AnaBelen_Veneo-03.wav",
    "Rumba-Misc/Media-103605.wav",
    "Samba/Albums-Fire-09.wav",
)

#: In the real layout: relations from either subset or both, to tracks that are not there, and in children of both kinds.
XML = """<ballroom>
  <Waltz>
    <song album="The Best, Part 5" artist="Musica &amp; Poesia" bpm="87" id="100601" title="Say &quot;A&quot;" hash="27"/>
    <song album="Magic" artist="Sherman" bpm="90" id="101003" title="Hushabye" hash="0c">
    \t<version id="101018"/><version id="113108"/>
    </song>
    <song album="Magic" artist="Emanuel" bpm="90" id="101018" title="Hushabye (Short)" hash="50"><exact id="110103"/></song>
    <song album="Magic" artist="Orchestra" bpm="84" id="113108" title="Hushabye" hash="51"><exact id="999999"/></song>
  </Waltz>
  <Wcswing>
    <song album="Mix" artist="Emmanuel" bpm="120" id="110103" title="Corazon" hash="3d"><exact id="101018"/></song>
    <song album="Mix" artist="SHERMAN" bpm="120" id="110104" title="Lady" hash="3e"/>
    <song album="Mix" artist="" bpm="120" id="110105" title="Who?" hash="3f"/>
    <song album="Mix" artist="Playback" bpm="120" id="110106" title="Mira" hash="40"><karaoke id="110107"/></song>
    <song album="Mix" artist="Carlos" bpm="120" id="110107" title="Mira" hash="41" voiced="1"/>
    <song album="Mix" artist="Slow" bpm="100" id="110108" title="Mira" hash="42"><time id="110107"/></song>
  </Wcswing>
</ballroom>
"""

SONGS = [
    *(f"Waltz/{number}.mp3" for number in (100601, 101003, 101018, 113108)),
    *(f"Wcswing/{number}.mp3" for number in range(110103, 110109)),
]


class TestBallroom:
    def test_one_class_of_three_rumbas(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        touch(tmp_path, *(f"BallroomData/{name}" for name in WAVES))
        touch(tmp_path / "BallroomData", "nada/Media-1.wav", "allBallroomFiles", "Jive/._Albums-Commitments-06.wav")
        assert listed(Ballroom, tmp_path) == [
            ("BallroomData/ChaChaCha/Albums-Fire-08.wav", "ChaChaCha", "recording of Albums-Fire-08"),
            ("BallroomData/ChaChaCha/Media-103402.wav", "ChaChaCha", "recording of Media-103402"),
            ("BallroomData/Jive/Albums-Commitments-06.wav", "Jive", None),
            ("BallroomData/Rumba-American/Media-105615.wav", "Rumba", None),
            (
                "BallroomData/Rumba-International/Albums-AnaBelen_Veneo-03.wav",
                "Rumba",
                "recording of Albums-AnaBelen_Veneo-03",
            ),
            ("BallroomData/Rumba-Misc/Media-103605.wav", "Rumba", None),
            ("BallroomData/Samba/Albums-Fire-09.wav", "Samba", "recording of Albums-Fire-08"),
        ]
        base = tmp_path / "BallroomData"
        assert caplog.messages == [
            f"1 audio file below {base} is in no folder of a dance and is passed over, such as {base}/nada/Media-1.wav"
            f"; as a folder (--data Folder, with {base} as the root) all would be read"
        ]
        assert len(listed(Ballroom, base)) == 7

    def test_duplicates_are_thirteen_pairs(self) -> None:
        assert len(DUPLICATES) == 13
        assert len(set(itertools.chain(*DUPLICATES))) == 26

    @pytest.mark.parametrize("seed", range(5))
    def test_split_by_artist_keeps_duplicates_on_one_side(self, tmp_path: Path, seed: int) -> None:
        names = [name for pair in DUPLICATES for name in pair]
        touch(tmp_path, *(f"{genre}/{name}.wav" for genre, name in zip(("Jive", "Waltz") * 13, names, strict=True)))
        touch(tmp_path, *(f"{genre}/{number}.wav" for genre in ("Jive", "Waltz") for number in range(10)))
        partition = data(Ballroom, tmp_path, split=StratifiedSplit(0.3, 0.3, by_artist=True, seed=seed)).partition
        subsets = {track.name: subset for subset in SUBSETS for track in partition[subset]}
        assert all(subsets[first] == subsets[second] for first, second in DUPLICATES)

    def test_no_official_split(self, tmp_path: Path) -> None:
        touch(tmp_path, *WAVES)
        with pytest.raises(GenreError, match="no official split"):
            _ = data(Ballroom, tmp_path).partition

    def test_bad_file(self, tmp_path: Path) -> None:
        touch(tmp_path, "Jive/bad.wav")
        for genre in ("Jive", "Samba"):
            (tmp_path / genre).mkdir(exist_ok=True)
            for number in range(4):
                soundfile.write(tmp_path / genre / f"Media-{number}.wav", tone(0, number, 0.3), 22050)
        kind = Ballroom(tmp_path, Spectrogram(), StratifiedSplit(0.3, 0.3), num_workers=0)
        assert sum(len(kind.tracks(subset)) for subset in SUBSETS) == 8
        assert list(kind.bad_files) == [tmp_path / "Jive" / "bad.wav"]


class TestExtendedBallroom:
    def groups(self, root: Path) -> list[set[str]]:
        """The track names of each artist."""
        tracks = data(Ballroom, root).corpus.tracks
        return [{track.name for track in tracks if track.artist == artist} for artist in {t.artist for t in tracks}]

    @pytest.mark.parametrize("base", [".", "extendedballroom_v1.1"])
    @pytest.mark.parametrize("place", [".", "extendedballroom_v1.1"])
    def test_artists_who_share_a_recording_are_one(self, tmp_path: Path, base: str, place: str) -> None:
        touch(tmp_path / base, *SONGS)
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "extendedballroom_v1.1.xml").write_text(XML)
        if base == "." and place != ".":
            assert {track.artist for track in data(Ballroom, tmp_path).corpus.tracks} == {None}
            return
        tracks = data(Ballroom, tmp_path).corpus.tracks
        assert [track.path for track in tracks] == [tmp_path / base / song for song in SONGS]
        assert [track.genre for track in tracks] == ["Waltz"] * 4 + ["Wcswing"] * 6
        expected = [
            {"100601"},
            {"101003", "110104"},  # in small and capital letters
            {"101018", "110103"},  # one recording, its artist spelled in two ways
            {"113108"},
            {"110105"},
            {"110106", "110107", "110108"},
        ]
        assert sorted(self.groups(tmp_path), key=sorted) == sorted(expected, key=sorted)

    def test_names_of_the_artists(self, tmp_path: Path) -> None:
        touch(tmp_path, *SONGS)
        (tmp_path / "extendedballroom_v1.1.xml").write_text(XML)
        artists = {track.name: track.artist or "" for track in data(Ballroom, tmp_path).corpus.tracks}
        assert artists["100601"] == "musica & poesia"
        assert artists["101003"] == "sherman"
        assert artists["110105"] == "track 110105"

    def test_without_the_xml(self, tmp_path: Path) -> None:
        touch(tmp_path, *SONGS)
        assert {artist for *_, artist in listed(Ballroom, tmp_path)} == {None}

    def test_track_of_both_kinds_counts_once(self, tmp_path: Path) -> None:
        touch(tmp_path, "Waltz/100601.mp3", "Waltz/100601.wav", "Salsa/100700.mp3")
        assert len(listed(Ballroom, tmp_path)) == 2

    def test_broken_xml(self, tmp_path: Path) -> None:
        touch(tmp_path, *SONGS)
        path = tmp_path / "extendedballroom_v1.1.xml"
        path.write_text(XML[:500])
        message = refusal(Ballroom, tmp_path)
        assert message.startswith(f"{path}: not an XML file (")
        assert message.endswith("; replace it, or remove it to do without artists")


class TestErrors:
    def test_wrong_roots(self, tmp_path: Path) -> None:
        message = refusal(Ballroom, tmp_path / "no")
        assert message == f"{tmp_path / 'no'}: found nothing, expected a folder of audio; check data.root"
        touch(tmp_path / "deep", "a/b/Jive/1.wav", "a/b/Samba/2.wav")
        assert refusal(Ballroom, tmp_path / "deep") == (
            f"{tmp_path / 'deep'}: found no folder of a dance (Jive, Samba, Waltz, …) there or one level below; "
            "data.root should hold BallroomData/ or the class folders of Extended Ballroom"
        )
        touch(tmp_path / "both", "BallroomData/Jive/1.wav", "extendedballroom_v1.1/Jive/2.mp3")
        assert refusal(Ballroom, tmp_path / "both") == (
            f"{tmp_path / 'both'}: found class folders in BallroomData, extendedballroom_v1.1, expected them in one; "
            "point data.root at that one"
        )
        touch(tmp_path / "hollow", "Jive/list.txt")
        assert refusal(Ballroom, tmp_path / "hollow") == (
            f"{tmp_path / 'hollow'}: found no audio file in its class folders, expected <Class>/<file>; unpack it anew"
        )
        touch(tmp_path / "one", "Jive/1.wav")
        assert "found 1 tracks of 1 genre(s) for Ballroom" in refusal(Ballroom, tmp_path / "one")
