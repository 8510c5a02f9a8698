"""Tracks, a corpus of tracks, and the numbers of tracks and artists per genre."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from genre.data.names import composed, first_spellings, name_key, show_name
from genre.errors import GenreError

Subset = Literal["train", "validation", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Track:
    """One recording, or an excerpt that is treated as one.

    Attributes:
        path: The audio file.
        genre: The name of its genre.
        artist: The name of the artist; ``None`` if it is unknown or empty. Spellings with the same
            :func:`~genre.data.names.name_key` are one artist. A split by artist keeps an artist in one subset.
        excerpt: The first and the last second of the track in the file; ``None``: the whole file.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Track
        >>> track = Track(Path("music/jazz/So What.flac"), "jazz", artist="Miles Davis")
        >>> track.name, len(track.cut(duration=30.0, seconds=3.0))
        ('So What', 10)
    """

    path: Path
    genre: str
    artist: str | None = None
    excerpt: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.artist is not None and not name_key(self.artist):
            object.__setattr__(self, "artist", None)

    @property
    def name(self) -> str:
        """The file's name without its ending, such as ``blues.00000``."""
        return self.path.stem

    def cut(self, duration: float, seconds: float) -> "list[Track]":
        """Non-overlapping excerpts of equal length; a track shorter than that, or an excerpt, stays whole.

        Args:
            duration: The duration of the track in seconds.
            seconds: The length of an excerpt.
        """
        count = int(duration / seconds + 1e-6)
        if count == 0 or self.excerpt is not None:
            return [self]
        return [replace(self, excerpt=(index * seconds, (index + 1) * seconds)) for index in range(count)]


@dataclass(frozen=True)
class Corpus:
    """The tracks of a data set and, if it has one, its official split.

    Attributes:
        tracks: Every track found, in a fixed order.
        official: The subset of each track of the official split, by the track's name; also of missing tracks.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Corpus, Track
        >>> Corpus([Track(Path("a.wav"), "rock"), Track(Path("b.wav"), "jazz")]).genres
        ['jazz', 'rock']
    """

    tracks: list[Track]
    official: Mapping[str, Subset] = field(default_factory=dict)

    @cached_property
    def genres(self) -> list[str]:
        """The names of the genres, sorted: the order of the classes."""
        return sorted({track.genre for track in self.tracks}, key=composed)

    def require_distinct_genres(self, root: Path) -> None:
        """Raises a :class:`~genre.GenreError` if a genre has two spellings, see :func:`~genre.data.names.name_key`.

        ``root`` is where the data set lies, for the message.
        """
        spellings: dict[str, dict[str, Track]] = {}
        for track in self.tracks:
            spellings.setdefault(name_key(track.genre), {}).setdefault(track.genre, track)
        doubled = [tracks for tracks in spellings.values() if len(tracks) > 1]
        if doubled:
            names = " and ".join(f"{show_name(genre)} in {track.path}" for genre, track in doubled[0].items())
            more = f" ({len(doubled) - 1} more genres likewise)" if len(doubled) > 1 else ""
            raise GenreError(
                f"{root}: found one genre in {len(doubled[0])} spellings, {names}{more}; expected one; rename the "
                "folders, or edit the list of tracks, so that all tracks of the genre have the same spelling"
            )


@dataclass(frozen=True)
class TrackCount:
    """The numbers of tracks and artists, and the artist with the most tracks.

    Attributes:
        tracks: The number of tracks.
        artists: The number of known artists.
        unknown: The number of tracks whose artist is unknown.
        largest: The artist with the most tracks, or the first by name of several; empty if no artist is known.
        largest_tracks: The number of that artist's tracks.
    """

    tracks: int
    artists: int
    unknown: int
    largest: str
    largest_tracks: int

    @property
    def share(self) -> float:
        """The largest artist's share of the tracks, 0 to 1."""
        return self.largest_tracks / max(1, self.tracks)


def count_tracks(tracks: Sequence[Track]) -> TrackCount:
    """Counts tracks and artists; the first spelling of an artist's name is used."""
    names = [track.artist for track in tracks if track.artist]
    spellings = first_spellings(names)
    artists = Counter(spellings[name] for name in names)
    largest, largest_tracks = min(artists.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return TrackCount(len(tracks), len(artists), len(tracks) - len(names), largest, largest_tracks)


def count_genres(tracks: Sequence[Track]) -> dict[str, TrackCount]:
    """Counts the tracks and artists of every genre, in the order of :attr:`Corpus.genres`."""
    return {
        genre: count_tracks([track for track in tracks if track.genre == genre]) for genre in Corpus([*tracks]).genres
    }
