"""Ballroom and Extended Ballroom: excerpts of 30 s in 8 or 13 dances, with their known duplicates."""

from pathlib import Path
from xml.etree import ElementTree

from genre.data.datamodule import GenreDataModule
from genre.data.files import find_audio_files, require_folder, warn_of_empty, warn_of_unlisted
from genre.data.names import name_key
from genre.data.track import Corpus, Track
from genre.errors import GenreError

#: The folders of both data sets, in lower case; Ballroom has three folders of rumba.
DANCES = frozenset(
    {
        *("chachacha", "jive", "quickstep", "rumba", "rumba-american", "rumba-international", "rumba-misc", "samba"),
        *("tango", "viennesewaltz", "waltz", "chacha", "foxtrot", "pasodoble", "salsa", "slowwaltz", "wcswing"),
    }
)

#: Pairs of one recording, the first four of them of one excerpt (Sturm 2014, listed with Krebs's annotations).
DUPLICATES = (
    ("Albums-AnaBelen_Veneo-11", "Albums-Chrisanne2-12"),
    ("Albums-Fire-08", "Albums-Fire-09"),
    ("Albums-Latin_Jam2-05", "Albums-Latin_Jam2-13"),
    ("Albums-Secret_Garden-01", "Media-104705"),
    ("Albums-AnaBelen_Veneo-03", "Albums-AnaBelen_Veneo-15"),
    ("Albums-Ballroom_Magic-03", "Albums-Ballroom_Magic-18"),
    ("Albums-Latin_Jam-04", "Albums-Latin_Jam-13"),
    ("Albums-Latin_Jam-08", "Albums-Latin_Jam-14"),
    ("Albums-Latin_Jam-06", "Albums-Latin_Jam-15"),
    ("Albums-Latin_Jam2-02", "Albums-Latin_Jam2-14"),
    ("Albums-Latin_Jam2-07", "Albums-Latin_Jam2-15"),
    ("Albums-Latin_Jam3-02", "Media-103414"),
    ("Media-103402", "Media-103415"),
)


class Ballroom(GenreDataModule):
    """Ballroom, ``BallroomData/<Class>/….wav``, or Extended Ballroom, ``<Class>/<id>.mp3``.

    The class folders lie in ``root`` or one level below it. Other folders, such as Ballroom's ``nada``, are skipped.
    Ballroom's three folders of rumba are one class. There is no official split.

    A split by artist keeps known duplicates in one subset. Ballroom's artists are unknown: each of its 13 pairs of
    duplicates counts as one artist. Extended Ballroom's artists are read from ``extendedballroom_v1.1.xml`` in ``root``
    or beside the class folders; artists who share a recording there (exact, at another tempo, or without the voice)
    count as one. Other versions of the same song do not count as duplicates.

    Gouyon et al.: "An experimental comparison of audio tempo induction algorithms", IEEE TASLP 14(5), 2006;
    Marchand and Peeters: "The Extended Ballroom Dataset", ISMIR late-breaking session, 2016.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import Ballroom, StratifiedSplit
        >>> data = Ballroom("BallroomData", features=MelSpectrogram(), split=StratifiedSplit())
        >>> len(data.corpus.tracks), data.genres[:2]
        (80, ['ChaChaCha', 'Jive'])
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_ballroom(self.root)


def read_ballroom(root: Path) -> Corpus:
    """Lists the tracks of Ballroom or Extended Ballroom, see :class:`Ballroom`."""
    require_folder(root)
    base = find_classes(root)
    artists = {name: f"recording of {first}" for first, second in DUPLICATES for name in (first, second)}
    for xml in [*sorted(root.glob("extendedballroom_v*.xml")), *sorted(base.glob("extendedballroom_v*.xml"))]:
        artists |= read_song_artists(xml)
    tracks: dict[tuple[str, str], Track] = {}
    for folder in class_folders(base):
        genre = folder.name.partition("-")[0]
        tracks |= {(genre, path.stem): Track(path, genre, artists.get(path.stem)) for path in find_audio_files(folder)}
    if not tracks:
        raise GenreError(f"{base}: found no audio file in its class folders, expected <Class>/<file>; unpack it anew")
    paths = [track.path for track in tracks.values()]
    warn_of_unlisted(base, paths, "in no folder of a dance", as_folder=True)
    warn_of_empty(class_folders(base), paths)
    return Corpus(list(tracks.values()))


def class_folders(base: Path) -> list[Path]:
    """The folders in ``base`` with the name of a dance, sorted."""
    return sorted(path for path in base.iterdir() if path.name.lower() in DANCES and path.is_dir())


def find_classes(root: Path) -> Path:
    """The folder that holds the class folders: ``root`` or one in it."""
    if class_folders(root):
        return root
    bases = [path for path in sorted(root.iterdir()) if path.is_dir() and class_folders(path)]
    if len(bases) == 1:
        return bases[0]
    if bases:
        names = ", ".join(path.name for path in bases)
        raise GenreError(f"{root}: found class folders in {names}, expected them in one; point data.root at that one")
    raise GenreError(
        f"{root}: found no folder of a dance (Jive, Samba, Waltz, …) there or one level below; data.root should hold "
        "BallroomData/ or the class folders of Extended Ballroom"
    )


def read_song_artists(path: Path) -> dict[str, str]:
    """Maps track names, such as ``100601``, to artists; artists who share a recording have one name."""
    try:
        songs = list(ElementTree.parse(path).iter("song"))
    except ElementTree.ParseError as error:
        raise GenreError(f"{path}: not an XML file ({error}); replace it, or remove it to do without artists") from None
    parents: dict[str, str] = {}

    def group(member: str) -> str:
        while (parent := parents.setdefault(member, member)) != member:
            member = parent
        return member

    for song in songs:
        name = f"track {song.get('id')}"
        relatives = [f"track {twin.get('id')}" for twin in song if twin.tag in ("exact", "time", "karaoke")]
        artist = name_key(song.get("artist") or "")  # one artist's name is capitalised in several ways
        for relative in [*relatives, artist] if artist else relatives:
            parents[group(name)] = group(relative)
    return {song.get("id", ""): group(f"track {song.get('id')}") for song in songs}
