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
class Provenance:
    """The tracks and artists that a network was trained (``train``) and chosen (``validation``) on.

    A fit that starts from the weights of an earlier one has the subsets ``earlier_train`` and ``earlier_validation``,
    too: what that one, and those before it, were trained and chosen on.

    Attributes:
        tracks: Digests of the tracks by subset, see :func:`digest`.
        artists: Digests of the known artists' names by subset, each once.
    """

    tracks: Mapping[str, Sequence[str]]
    artists: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, subsets: Mapping[str, Sequence[Track]]) -> "Provenance":
        """What a network hears that is trained and chosen on these tracks."""
        return cls(
            {subset: digests(tracks) for subset, tracks in subsets.items()},
            {subset: sorted(artist_digests(tracks)) for subset, tracks in subsets.items()},
        )

    @classmethod
    def read(cls, content: Any) -> "Provenance | None":
        """The record of a checkpoint, which is ``vars`` of this; ``None`` where it has none, or none of artists."""
        return cls(**content) if isinstance(content, Mapping) and set(content) == {"tracks", "artists"} else None

    def continuing(self, earlier: "Provenance | None") -> "Provenance":
        """The same of a fit that starts from weights that another record belongs to."""
        if earlier is None:
            return self
        return Provenance(_continue(self.tracks, earlier.tracks), _continue(self.artists, earlier.artists))

    def artist_subsets(self) -> tuple[set[str], set[str]]:
        """The artists of all training, and those that beside them chose a checkpoint."""
        trained = {*self.artists.get("train", ()), *self.artists.get("earlier_train", ())}
        chosen = {*self.artists.get("earlier_validation", ())} - trained
        return trained, {*self.artists.get("validation", ()), *chosen}

    def count(self, tracks: Sequence[Track]) -> dict[str, int]:
        """How many of the tracks were heard, by subset.

        A whole track was heard if any excerpt of its file was; an excerpt if it was itself, or its whole file: what
        other excerpts of the file tell of it is for a leaky split to say.
        """
        names = digests(tracks)
        counts = {}
        for subset, known in self.tracks.items():
            whole_or_same = set(known)
            any_part = {name.partition("@")[0] for name in known}
            counts[subset] = sum(
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


def _continue(ours: Mapping[str, Collection[str]], earlier: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The subsets of a fit with those of earlier fits beside them, without what is said of this one already."""
    trained = {*earlier.get("train", ()), *earlier.get("earlier_train", ())} - {*ours.get("train", ())}
    chosen = {*earlier.get("validation", ()), *earlier.get("earlier_validation", ())}
    chosen -= {*ours.get("train", ()), *ours.get("validation", ())}
    added = {"earlier_train": sorted(trained), "earlier_validation": sorted(chosen)}
    return {**ours, **{subset: digests for subset, digests in added.items() if digests}}


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


def shared_artists(*subsets: Iterable[str]) -> int:
    """The number of artists that stand in more than one subset: 0 under a grouped split."""
    return sum(count > 1 for count in Counter(artist for subset in subsets for artist in subset).values())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        content = hashlib.blake2b(str(size).encode(), digest_size=8)
        for start in (0, size // 2, max(0, size - STRETCH)):
            file.seek(start)
            content.update(file.read(STRETCH))
    return content.hexdigest()
