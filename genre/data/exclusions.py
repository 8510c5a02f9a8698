"""Reads exclusion lists: the tracks that a data set leaves out. ``genre audit`` makes such a list."""

import csv
import logging
from dataclasses import replace
from io import StringIO
from pathlib import Path

from genre.data.names import match_composed
from genre.data.track import Corpus
from genre.errors import GenreError

log = logging.getLogger(__name__)


def exclude(corpus: Corpus, source: Path, root: Path) -> Corpus:
    """Drops the tracks that an exclusion list names, and logs their number; see :func:`read_exclusions`.

    Relative paths in the list start at ``root``, the folder of the data set, or at the folder of ``root`` if that is a
    CSV file of tracks.
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
