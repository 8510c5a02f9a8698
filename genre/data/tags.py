"""Artists from the tags of audio files: ID3, Vorbis comments, MP4, ASF and APE."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from genre.data.names import name_key
from genre.data.track import Corpus
from genre.errors import GenreError

log = logging.getLogger(__name__)

#: The names of the tags in all formats, case-folded.
ALBUM_ARTIST = (
    *("tpe2", "albumartist", "album artist", "txxx:albumartist", "txxx:album artist", "aart", "wm/albumartist"),
)
ARTIST = ("tpe1", "artist", "©art", "author")
COMPILATION = ("tcmp", "cpil", "compilation", "wm/iscompilation")
USED = frozenset({*ALBUM_ARTIST, *ARTIST, *COMPILATION})

#: Names that stand for no single artist, by their keys, see :func:`~genre.data.names.name_key`.
NOBODY = frozenset(
    {
        *("various artists", "various artist", "various", "va", "v.a.", "v/a", "various interprets", "unknown artist"),
        *("unknown", "verschiedene interpreten", "verschiedene", "diverse interpreten", "diverse", "artistes variés"),
        *("artistes divers", "varios artistas", "varios", "artisti vari", "vários artistas", "vari artisti"),
        *("<unknown>", "[unknown]", "soundtrack", "original soundtrack", "compilation", "compilations", "n/a"),
    }
)


def tag_artists(corpus: Corpus) -> Corpus:
    """Replaces the artist of every track by that of its file's tags, see :func:`read_artist`.

    If the tags have no artist, the artist is unknown, whatever the data set says. The number of such files is logged.

    Raises:
        GenreError: The package mutagen is not installed.
    """
    try:
        import mutagen  # noqa: F401  # here: read_artist would take its absence for files without tags
    except ImportError:
        raise GenreError(
            "artist: tags needs the package mutagen, which is not installed; "
            "install it with: pip install 'lightning-genre[tags]'"
        ) from None
    with ThreadPoolExecutor() as pool:
        artists = list(pool.map(read_artist, (track.path for track in corpus.tracks)))
    tracks = [replace(track, artist=artist) for track, artist in zip(corpus.tracks, artists, strict=True)]
    untagged = [track.path for track in tracks if track.artist is None]
    if untagged:
        log.warning(
            "%d of %d files have no artist tag, such as %s: each of them counts as an artist of its own",
            *(len(untagged), len(tracks), untagged[0]),
        )
    return replace(corpus, tracks=tracks)


def read_artist(path: Path) -> str | None:
    """The artist in a file's tags; ``None`` if they have none or cannot be read.

    The artist of the album comes before that of the track, which differs within an album if there are guests. For a
    compilation, which is marked as such or has an album artist like ``Various Artists``, the artist of the track is
    used. Only the first of several artists counts.
    """
    import mutagen
    from mutagen.apev2 import APEv2

    for read in (mutagen.File, APEv2):  # an mp3 may have APE tags alone
        try:
            file = read(path)
            values = _by_name(file if isinstance(file, APEv2) else getattr(file, "tags", None))
        except Exception:  # a damaged file can raise anything; it counts as a file without tags
            continue
        marked = any(text.casefold() in ("1", "true") for name in COMPILATION for text in values.get(name, []))
        for name in ARTIST + ALBUM_ARTIST if marked else ALBUM_ARTIST + ARTIST:
            first = next(iter(values.get(name, [])), "")
            artist = first.partition(";")[0]  # some programs write several artists as one value with semicolons
            if name_key(artist) not in ("", *NOBODY):
                return " ".join(artist.split())
    return None


def _by_name(tags: Any) -> dict[str, list[str]]:
    """The values of the tags in :data:`USED` as text, by their case-folded names."""
    if tags is None:
        return {}
    names = {str(name).casefold(): name for name in tags.keys()}  # noqa: SIM118  # Vorbis comments iterate over pairs
    return {folded: _texts(tags[name]) for folded, name in names.items() if folded in USED}


def _texts(value: Any) -> list[str]:
    """The values of a tag: the texts of an ID3 frame, a list, or one text with zero bytes between the values."""
    values = getattr(value, "text", value)
    several = values if isinstance(values, list) else [values]
    return [text for one in several for text in str(one).split("\0")]
