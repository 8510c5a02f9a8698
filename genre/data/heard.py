"""What a network has heard: the files that it was trained and chosen on, told by their content, not by their names."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genre.data.names import name_key
from genre.data.track import Track
from genre.errors import GenreError

#: So many bytes are read at the beginning, in the middle and at the end of a file.
STRETCH = 16 << 10


@dataclass(frozen=True)
class Heard:
    """The tracks and artists that a network was trained (``train``) and chosen (``validation``) on.

    Attributes:
        tracks: Digests of the tracks by side, see :func:`digest`.
        artists: Digests of the known artists' names by side, each once.
    """

    tracks: Mapping[str, Sequence[str]]
    artists: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, sides: Mapping[str, Sequence[Track]]) -> "Heard":
        """What a network hears that is trained and chosen on these tracks."""
        return cls(
            {side: digests(tracks) for side, tracks in sides.items()},
            {side: sorted(artist_digests(tracks)) for side, tracks in sides.items()},
        )

    @classmethod
    def read(cls, content: Any) -> "Heard | None":
        """The record of a checkpoint, which is ``vars`` of this; ``None`` where it has none, or none of artists."""
        return cls(**content) if isinstance(content, Mapping) and set(content) == {"tracks", "artists"} else None

    def with_also(self, other: "Heard") -> "Heard":
        """The record of a network that is trained further on other tracks."""
        subsets = list(dict.fromkeys([*self.tracks, *other.tracks]))
        both = {
            subset: Counter(self.tracks.get(subset, ())) | Counter(other.tracks.get(subset, ())) for subset in subsets
        }
        artists = {
            subset: sorted({*self.artists.get(subset, ()), *other.artists.get(subset, ())}) for subset in subsets
        }
        return Heard({subset: list(tracks.elements()) for subset, tracks in both.items()}, artists)

    def count(self, tracks: Sequence[Track]) -> dict[str, int]:
        """How many of the tracks were heard, by side.

        A whole track was heard if any excerpt of its file was; an excerpt if it was itself, or its whole file: what
        other excerpts of the file tell of it is for a leaky split to say.
        """
        names = digests(tracks)
        counts = {}
        for side, known in self.tracks.items():
            whole_or_same = set(known)
            any_part = {name.partition("@")[0] for name in known}
            counts[side] = sum(
                name in whole_or_same or name.partition("@")[0] in (whole_or_same if "@" in name else any_part)
                for name in names
            )
        return counts

    def require_same(self, tracks: Sequence[Track]) -> None:
        """Checks that a fit goes on with the train tracks that it was begun with.

        Raises:
            GenreError: They are others.
        """
        theirs, ours = Counter(self.tracks["train"]), Counter(digests(tracks))
        if theirs != ours:
            raise GenreError(
                f"the checkpoint was trained on {theirs.total()} tracks, of which {(theirs & ours).total()} are among "
                f"the {ours.total()} that this fit would train on; to go on with that fit, give it the data, the split "
                "and the seeds that it was begun with; to begin another one, leave out the checkpoint"
            )


def digest(track: Track) -> str:
    """What tells the file of a track from every other one, wherever it lies and whatever it is called.

    A hash of the file's length and of three stretches of its bytes; of an excerpt, followed by where it starts.

    Raises:
        OSError: The file cannot be read.
    """
    content = _digest(track.path)
    return content if track.excerpt is None else f"{content}@{track.excerpt[0]:g}"


def digests(tracks: Sequence[Track]) -> list[str]:
    """The digests of tracks, in order; several files are read at once."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(digest, tracks))


def artist_digests(tracks: Iterable[Track]) -> set[str]:
    """Digests of the artists, where they are known, so that a checkpoint names nobody."""
    names = {name_key(track.artist) for track in tracks if track.artist}
    # A folder's name may be no valid text: its bytes are then those that count.
    encoded = (name.encode(errors="surrogateescape") for name in names)
    return {hashlib.blake2b(name, digest_size=8).hexdigest() for name in encoded}


def shared_artists(*sides: Iterable[str]) -> int:
    """The number of artists that stand on more than one side: 0 under a grouped split."""
    return sum(count > 1 for count in Counter(artist for side in sides for artist in side).values())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        content = hashlib.blake2b(str(size).encode(), digest_size=8)
        for start in (0, size // 2, max(0, size - STRETCH)):
            file.seek(start)
            content.update(file.read(STRETCH))
    return content.hexdigest()
