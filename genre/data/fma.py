"""FMA: the Free Music Archive's clips of 30 s in 8 or 16 genres (Defferrard et al. 2017), with its official split."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genre.data.datamodule import GenreDataModule
from genre.data.files import require_folder, warn_of_unlisted
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError

#: Each size includes the smaller ones.
SIZES = ("small", "medium", "large")
FOLDERS = tuple(f"fma_{size}" for size in SIZES)

OFFICIAL_SUBSETS: dict[str, Subset] = {"training": "train", "validation": "validation", "test": "test"}

METADATA = Path("fma_metadata") / "tracks.csv"


class FMA(GenreDataModule):
    """FMA as it is unzipped: ``fma_small/NNN/NNNNNN.mp3`` and, beside it, ``fma_metadata/tracks.csv``.

    ``root`` is the folder ``fma_small``, ``fma_medium`` or ``fma_large``, or a folder that holds one of them; the name
    tells the size. ``fma_metadata`` is searched for in ``root`` and beside it. The tracks are those with a top genre:
    all of the small and the medium size, about half of the large one. The official split is the published one; its
    tracks that are not on disk are counted. Artists are those of the metadata.

    Defferrard, Benzi, Vandergheynst and Bresson: "FMA: A Dataset for Music Analysis", ISMIR 2017.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import FMA, StratifiedSplit
        >>> data = FMA("fma", features=MelSpectrogram(), split=StratifiedSplit())
        >>> len(data.corpus.tracks), data.genres[:2]
        (24, ['Genre 0', 'Genre 1'])
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_fma(self.root)


def read_fma(root: Path) -> Corpus:
    """Lists the tracks of FMA, see :class:`FMA`."""
    require_folder(root)
    audio = find_audio(root)
    metadata = find_metadata(root)
    paths = find_mp3s(audio)
    sizes = SIZES[: FOLDERS.index(audio.name) + 1]
    rows = list(read_metadata(metadata))
    warn_of_unlisted(audio, (paths[row.name] for row in rows if row.name in paths), "not in FMA's metadata")
    rows = [row for row in rows if row.genre and row.size in sizes]
    tracks = [Track(paths[row.name], row.genre, row.artist or None) for row in rows if row.name in paths]
    return Corpus(tracks, {row.name: OFFICIAL_SUBSETS[row.split] for row in rows if row.split in OFFICIAL_SUBSETS})


class MetadataRow(NamedTuple):
    """A track in ``tracks.csv``; missing values are empty, ``name`` has six digits, ``size`` is the smallest one."""

    name: str
    split: str
    size: str
    genre: str
    artist: str


def find_audio(root: Path) -> Path:
    """The one audio folder in ``root``, or ``root`` itself."""
    folders = [root / name for name in FOLDERS if (root / name).is_dir()]
    if not folders and root.absolute().name in FOLDERS:
        folders = [root.absolute()]
    if len(folders) != 1:
        names = ", ".join(path.name for path in folders) or f"no folder {' or '.join(FOLDERS)}"
        raise GenreError(f"{root}: found {names}, expected one of them; point data.root at the one that is meant")
    return folders[0]


def find_metadata(root: Path) -> Path:
    """``fma_metadata/tracks.csv`` in ``root`` or beside it."""
    for folder in (root, root.absolute().parent):
        if (folder / METADATA).is_file():
            return folder / METADATA
    raise GenreError(f"{root}: found no {METADATA} in it or beside it, expected FMA's; unzip fma_metadata.zip there")


def find_mp3s(audio: Path) -> dict[str, Path]:
    """Maps track names, such as ``000002``, to files."""
    paths = {  # one listing: single look-ups of 100,000 files are slow
        path.stem: path for path in audio.glob(f"{3 * '[0-9]'}/{6 * '[0-9]'}.mp3") if path.stem[:3] == path.parent.name
    }
    if not paths:
        raise GenreError(f"{audio}: found no mp3, expected files such as 000/000002.mp3; unzip {audio.name}.zip there")
    return paths


def read_metadata(path: Path) -> Iterator[MetadataRow]:
    """Reads ``tracks.csv``, which begins with three header rows: category, column, ``track_id``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            categories, names, index = (next(reader, []) for _ in range(3))
            columns = {column: place for place, column in enumerate(zip(categories, names, strict=False))}
            artist = ("artist", "id") if ("artist", "id") in columns else ("artist", "name")
            wanted = [("set", "split"), ("set", "subset"), ("track", "genre_top"), artist]
            missing = [".".join(column) for column in wanted if column not in columns]
            if index[:1] != ["track_id"]:
                missing.append("track_id")
            if missing:
                raise GenreError(
                    f"{path}: found no {', '.join(missing)} in the first three rows, expected FMA's header "
                    "(category, column, track_id); unzip fma_metadata.zip anew"
                )
            places = [columns[column] for column in wanted]
            for row in filter(None, reader):
                if len(row) < len(names):
                    raise GenreError(
                        f"{path}, line {reader.line_num}: found {len(row)} cells, expected {len(names)}; "
                        "unzip fma_metadata.zip anew"
                    )
                yield MetadataRow(row[0].zfill(6), *(row[place] for place in places))
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenreError(f"{path}: not a CSV file in UTF-8 ({error}); unzip fma_metadata.zip anew") from None
