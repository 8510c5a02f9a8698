"""FMA: the Free Music Archive's clips of 30 s in 8 or 16 genres (Defferrard et al. 2017), with its official split."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genre.data.datamodule import GenreDataModule
from genre.data.folder import require_folder, warn_of_strays
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError

#: From the smallest: each holds those before it.
SUBSETS = ("small", "medium", "large")

FOLDERS = tuple(f"fma_{subset}" for subset in SUBSETS)

SUBSETS_BY_NAME: dict[str, Subset] = {"training": "train", "validation": "validation", "test": "test"}

METADATA = Path("fma_metadata") / "tracks.csv"


class FMA(GenreDataModule):
    """FMA as it is unzipped: ``fma_small/NNN/NNNNNN.mp3`` and, beside it, ``fma_metadata/tracks.csv``.

    ``root`` is the folder ``fma_small``, ``fma_medium`` or ``fma_large``, or one that holds a single one of them; its
    name tells the subset. ``fma_metadata`` is looked for in ``root`` and beside it. Of the subset, the tracks with a
    top genre count: all of the small and the medium one, about half of the large one. The official split is the
    published one, of which tracks that are not on disk are counted; artists are those of the metadata.

    Defferrard, Benzi, Vandergheynst and Bresson: "FMA: A Dataset for Music Analysis", ISMIR 2017.
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        require_folder(self.root)
        audio = find_audio(self.root)
        metadata = find_metadata(self.root)
        paths = find_mp3s(audio)
        subsets = SUBSETS[: FOLDERS.index(audio.name) + 1]
        known = list(read_metadata(metadata))
        warn_of_strays(audio, (paths[row.name] for row in known if row.name in paths), "not in FMA's metadata")
        rows = [row for row in known if row.genre and row.subset in subsets]
        tracks = [Track(paths[row.name], row.genre, row.artist or None) for row in rows if row.name in paths]
        return Corpus(tracks, {row.name: SUBSETS_BY_NAME[row.split] for row in rows if row.split in SUBSETS_BY_NAME})


class Row(NamedTuple):
    """What ``tracks.csv`` says of a track; empty where it says nothing. ``name`` has six digits."""

    name: str
    split: str
    subset: str
    genre: str
    artist: str


def find_audio(root: Path) -> Path:
    """The one audio folder in ``root``, or ``root`` itself.

    Raises:
        GenreError: There are none or several.
    """
    found = [root / name for name in FOLDERS if (root / name).is_dir()]
    if not found and root.absolute().name in FOLDERS:
        found = [root.absolute()]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or f"no folder {' or '.join(FOLDERS)}"
        raise GenreError(f"{root}: found {names}, expected one of them; point data.root at the one that is meant")
    return found[0]


def find_metadata(root: Path) -> Path:
    """``fma_metadata/tracks.csv`` in ``root`` or beside it.

    Raises:
        GenreError: It is in neither place.
    """
    for folder in (root, root.absolute().parent):
        if (folder / METADATA).is_file():
            return folder / METADATA
    raise GenreError(f"{root}: found no {METADATA} in it or beside it, expected FMA's; unzip fma_metadata.zip there")


def find_mp3s(audio: Path) -> dict[str, Path]:
    """Track name, such as ``000002``, to file; by listing folders, since single look-ups of 100,000 files are slow.

    Raises:
        GenreError: There is none.
    """
    paths = {
        path.stem: path
        for path in audio.glob("[0-9][0-9][0-9]/*.mp3")
        if re.fullmatch("[0-9]{6}", path.stem) and path.stem[:3] == path.parent.name
    }
    if not paths:
        raise GenreError(f"{audio}: found no mp3, expected files such as 000/000002.mp3; unzip {audio.name}.zip there")
    return paths


def read_metadata(path: Path) -> Iterator[Row]:
    """The rows of ``tracks.csv``, which opens with three header rows: category, column, ``track_id``.

    Raises:
        GenreError: The file is no such CSV.
    """
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
            for row in reader:
                if row and len(row) < len(names):
                    raise GenreError(
                        f"{path}, line {reader.line_num}: found {len(row)} cells, expected {len(names)}; "
                        "unzip fma_metadata.zip anew"
                    )
                if row:
                    yield Row(row[0].zfill(6), *(row[place] for place in places))
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenreError(f"{path}: not a CSV file in UTF-8 ({error}); unzip fma_metadata.zip anew") from None
