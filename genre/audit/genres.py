"""How many tracks and artists a genre has, and how much of it one artist makes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from genre.audit.examine import Examined
from genre.data.names import first_spellings


class GenreCount(NamedTuple):
    """What a genre consists of.

    Attributes:
        genre: Its name.
        tracks: The number of its tracks.
        minutes: How long they are together.
        artists: The number of known artists.
        unknown: The number of tracks whose artist is unknown.
        largest: The artist with the most tracks; empty where none is known.
        share: That artist's share of the genre's tracks.
        useless: The number of tracks that nothing can be learnt from.
    """

    genre: str
    tracks: int
    minutes: float
    artists: int
    unknown: int
    largest: str
    share: float
    useless: int


def count_genres(tracks: Iterable[Examined]) -> list[GenreCount]:
    """One entry a genre, by name."""
    genres: dict[str, list[Examined]] = {}
    for found in tracks:
        genres.setdefault(found.track.genre, []).append(found)
    return [count(genre, genres[genre]) for genre in sorted(genres)]


def count(genre: str, tracks: Sequence[Examined]) -> GenreCount:
    """What some tracks consist of, under a name."""
    names = [found.track.artist for found in tracks if found.track.artist]
    spellings = first_spellings(names)
    artists = Counter(spellings[name] for name in names)
    largest, most = artists.most_common(1)[0] if artists else ("", 0)
    return GenreCount(
        genre=genre,
        tracks=len(tracks),
        minutes=sum(found.seconds for found in tracks) / 60,
        artists=len(artists),
        unknown=len(tracks) - artists.total(),
        largest=largest,
        share=most / len(tracks),
        useless=sum(found.useless for found in tracks),
    )
