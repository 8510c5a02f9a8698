"""Tracks and the corpus that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Track:
    """One recording.

    Attributes:
        path: The audio file.
        genre: The name of its genre.
        artist: Who plays; ``None`` where unknown. Grouped splits keep an artist on one side.
    """

    path: Path
    genre: str
    artist: str | None = None

    @property
    def name(self) -> str:
        """The file's name without its ending, such as ``blues.00000``."""
        return self.path.stem


@dataclass(frozen=True)
class Corpus:
    """The tracks of a data set and, where it has one, its official split.

    Attributes:
        tracks: Every track found, in a fixed order.
        official: Track name to side, for every track of the official split, present or not.
    """

    tracks: list[Track]
    official: Mapping[str, Side] = field(default_factory=dict)

    @property
    def genres(self) -> list[str]:
        """The names of the genres, sorted: the order of the classes."""
        return sorted({track.genre for track in self.tracks})
