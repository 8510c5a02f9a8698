"""Provenance: the files that a network was trained and chosen on, identified by their content, not by their names."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from genre.data.names import name_key
from genre.data.track import Track
from genre.errors import GenreError

#: Bytes that are read at the beginning, in the middle and at the end of a file.
STRETCH = 16 << 10


@dataclass(frozen=True)
class Provenance:
    """The tracks and artists that a network was trained (``train``) and chosen (``validation``) on.

    A fit that starts from the weights of an earlier fit also has the subsets ``earlier_train`` and
    ``earlier_validation``: the tracks and artists that earlier fits were trained and chosen on.

    Attributes:
        tracks: Digests of the tracks by subset, see :func:`digest`.
        artists: Digests of the known artists' names by subset, each once.
    """

    tracks: Mapping[str, Sequence[str]]
    artists: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, subsets: Mapping[str, Sequence[Track]]) -> "Provenance":
        """The record of a network that is trained and chosen on these tracks."""
        return cls(
            {subset: digests(tracks) for subset, tracks in subsets.items()},
            {subset: sorted(artist_digests(tracks)) for subset, tracks in subsets.items()},
        )

    @classmethod
    def read(cls, content: Any) -> "Provenance | None":
        """Reads the record of a checkpoint, a dict of the attributes; ``None`` without a record or without artists."""
        return cls(**content) if isinstance(content, Mapping) and set(content) == {"tracks", "artists"} else None

    def continuing(self, earlier: "Provenance | None") -> "Provenance":
        """The record of this fit if it starts from the weights of an earlier one."""
        if earlier is None:
            return self
        return Provenance(_continue(self.tracks, earlier.tracks), _continue(self.artists, earlier.artists))

    def artist_subsets(self) -> tuple[set[str], set[str]]:
        """The artists of all train tracks, and those of all validation tracks, including earlier fits."""
        trained = {*self.artists.get("train", ()), *self.artists.get("earlier_train", ())}
        chosen = {*self.artists.get("earlier_validation", ())} - trained
        return trained, {*self.artists.get("validation", ()), *chosen}

    def count(self, tracks: Sequence[Track]) -> dict[str, int]:
        """The number of given tracks that are in the record, by subset.

        A whole track counts if any excerpt of its file is in the record. An excerpt counts if the record has it or its
        whole file. Other excerpts of the same file leak, too; ``Split.leaky`` states that.
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

    def require_same(self, other: "Provenance") -> None:
        """Raises a :class:`~genre.GenreError` if the train tracks of a resumed fit differ from those of this record."""
        theirs, ours = Counter(self.tracks["train"]), Counter(other.tracks["train"])
        if theirs and theirs != ours:
            raise GenreError(
                f"the checkpoint was trained on {theirs.total()} tracks, of which {(theirs & ours).total()} are among "
                f"the {ours.total()} that this fit would train on; to go on with that fit, give it the data, the split "
                "and the seeds that it was begun with; to begin another one, leave out the checkpoint"
            )


def _continue(ours: Mapping[str, Collection[str]], earlier: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The subsets of a fit, and those of earlier fits without the entries that this fit already has."""
    trained = {*earlier.get("train", ()), *earlier.get("earlier_train", ())} - {*ours.get("train", ())}
    chosen = {*earlier.get("validation", ()), *earlier.get("earlier_validation", ())}
    chosen -= {*ours.get("train", ()), *ours.get("validation", ())}
    added = {"earlier_train": sorted(trained), "earlier_validation": sorted(chosen)}
    return {**ours, **{subset: digests for subset, digests in added.items() if digests}}


def digest(track: Track) -> str:
    """Identifies a track by the content of its file, independent of its path.

    The digest is a hash of the file's length and of three parts of its bytes. For an excerpt, its start is appended.
    """
    with track.path.open("rb") as file:
        size = file.seek(0, 2)
        content = hashlib.blake2b(str(size).encode(), digest_size=8)
        for start in (0, size // 2, max(0, size - STRETCH)):
            file.seek(start)
            content.update(file.read(STRETCH))
    return content.hexdigest() if track.excerpt is None else f"{content.hexdigest()}@{track.excerpt[0]:g}"


def digests(tracks: Sequence[Track]) -> list[str]:
    """The digests of tracks, in order; reads several files in parallel."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(digest, tracks))


def artist_digests(tracks: Iterable[Track]) -> set[str]:
    """Digests of the known artists' names; a checkpoint does not contain the names themselves."""
    names = {name_key(track.artist) for track in tracks if track.artist}
    # A folder's name may not be valid UTF-8; its bytes are hashed.
    encoded = (name.encode(errors="surrogateescape") for name in names)
    return {hashlib.blake2b(name, digest_size=8).hexdigest() for name in encoded}


def shared_artists(*subsets: Iterable[str]) -> int:
    """The number of artists that are in more than one subset; 0 for a split by artist."""
    return sum(count > 1 for count in Counter(artist for subset in subsets for artist in subset).values())
