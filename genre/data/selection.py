"""Selects the tracks of a data set that are used, and sets their artists.

An exclusion list names the tracks that are left out; ``genre audit`` makes such a list. The artists may come from the
tags of the audio files: ID3, Vorbis comments, MP4, ASF and APE.
"""

import csv
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from genre.data.names import match_composed, name_key
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


def select_tracks(
    corpus: Corpus, root: Path, exclusions: Path | None, artist: Literal["tags"] | None, data_set: str
) -> Corpus:
    """Drops the excluded tracks of a data set below ``root``, checks its genres, and sets the artists.

    ``exclusions`` is a list for :func:`read_exclusions`; the artists are those of the corpus or, with ``tags``, those
    of the files' tags; ``data_set`` is the name of the data set, for messages.
    """
    if exclusions is not None:
        corpus = exclude(corpus, exclusions, root)
    corpus.require_distinct_genres(root)
    if len(corpus.genres) < 2:
        raise GenreError(
            f"{root}: found {len(corpus.tracks)} tracks of {len(corpus.genres)} genre(s) for {data_set}, expected at "
            "least 2 genres; check data.root" + (" and data.exclude" if exclusions else "")
        )
    return tag_artists(corpus) if artist == "tags" else corpus


def exclude(corpus: Corpus, source: Path, root: Path) -> Corpus:
    """Drops the tracks that an exclusion list names, and logs their number; see :func:`read_exclusions`.

    Relative paths in the list start at ``root``, the folder of the data set; if ``root`` is a CSV file of tracks, at
    its folder.
    """
    base = root if root.is_dir() else root.parent
    listed = {str(_location(base / path)) for path in read_exclusions(source)}
    locations = {track.path: str(_location(track.path)) for track in corpus.tracks}
    matches = match_composed(listed, set(locations.values()))
    excluded = set(matches.values())
    tracks = [track for track in corpus.tracks if locations[track.path] not in excluded]
    unmatched = len(listed) - len(matches)
    log.warning(
        "%s: leaves out %d of %d tracks%s",
        source,
        len(corpus.tracks) - len(tracks),
        len(corpus.tracks),
        f"; {unmatched} of its {len(listed)} entries match no track below {base}" if unmatched else "",
    )
    dropped_names = {track.name for track in corpus.tracks} - {track.name for track in tracks}
    dropped = match_composed(corpus.official, dropped_names)
    official = {name: subset for name, subset in corpus.official.items() if name not in dropped}
    return replace(corpus, tracks=tracks, official=official)


def read_exclusions(source: Path) -> list[Path]:
    """The paths in an exclusion list.

    A CSV file has a column ``path``. If it also has a column ``exclude``, as ``tracks.csv`` of ``genre audit`` does,
    only rows with a value in that column count. Any other file has one path per line; lines that begin with ``#`` are
    comments.

    Raises:
        GenreError: The file is missing, is not text in UTF-8, or is a CSV file without a column ``path``.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise GenreError(f"{source}: found no text in UTF-8, expected an exclusion list; check data.exclude") from None
    except OSError as error:
        raise GenreError(
            f"{source}: {(error.strerror or 'unreadable').lower()}, expected an exclusion list such as the exclude.txt "
            "of `genre audit`; check data.exclude"
        ) from None
    if source.suffix.lower() != ".csv":
        lines = (line.strip() for line in text.splitlines())
        return [Path(line).expanduser() for line in lines if line and not line.startswith("#")]
    reader = csv.DictReader(StringIO(text, newline=""))
    columns = reader.fieldnames or ()
    if "path" not in columns:
        raise GenreError(f"{source}: found the columns {', '.join(columns) or 'none'}; expected path among them")
    rows = [row for row in reader if row["path"] and ("exclude" not in columns or row["exclude"])]
    return [Path(row["path"]).expanduser() for row in rows]


def _location(path: Path) -> Path:
    """The path with its folder resolved. The file is not resolved: it may be a link to the file of another track."""
    return path.parent.resolve() / path.name


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
