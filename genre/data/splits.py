"""Splits: which tracks train, which validate, which test. Made of tracks, never of segments."""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedKFold, train_test_split

from genre.data.files import BadFiles, scan
from genre.data.names import first_spellings, match_composed
from genre.data.track import SUBSETS, Corpus, Subset, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)

#: The number of random divisions of a genre's artists that are tried. The first one that is off by at most this share
#: of the genre's tracks is used, or else the best one. With the best one always, all seeds would give the same split.
ARTIST_DRAWS = 100
ARTIST_SLACK = 0.03

Partition: TypeAlias = dict[Subset, list[Track]]


class Split(ABC):
    """A rule that puts every track of a corpus in one subset or in none.

    Attributes:
        leaky: Whether segments of one track may stand in two subsets.
        validation: The share of tracks in the validation subset, or whether there is such a subset.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Corpus, Split, Track
        >>> class ByNumber(Split):
        ...     def __call__(self, corpus):
        ...         return {"train": corpus.tracks[:-2], "validation": corpus.tracks[-2:-1], "test": corpus.tracks[-1:]}
        >>> partition = ByNumber()(Corpus([Track(Path(f"{i}.wav"), "jazz") for i in range(5)]))
        >>> [track.name for track in partition["test"]]
        ['4']
    """

    leaky: ClassVar[bool] = False
    validation: float = True

    @property
    def has_validation(self) -> bool:
        """Whether the split has a validation subset; without one, no score selects an epoch."""
        return bool(self.validation)

    @abstractmethod
    def __call__(self, corpus: Corpus) -> Partition:
        """Partitions the corpus.

        Raises:
            GenreError: The corpus cannot be split this way.
        """


class OfficialSplit(Split):
    """The split that the data set's authors or its critics published, such as GTZAN's fault-filtered one.

    Tracks outside the published lists are left out. The number of listed tracks that are not in the corpus is logged.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Corpus, OfficialSplit, Track
        >>> tracks = [Track(Path(f"jazz.{i}.wav"), "jazz") for i in range(3)]
        >>> corpus = Corpus(tracks, official={"jazz.0": "train", "jazz.1": "validation", "jazz.2": "test"})
        >>> [track.name for track in OfficialSplit()(corpus)["test"]]
        ['jazz.2']
    """

    def __call__(self, corpus: Corpus) -> Partition:  # noqa: D102
        if not corpus.official:
            raise GenreError("this data set has no official split; choose StratifiedSplit or KFoldSplit for data.split")
        present = match_composed(corpus.official, {track.name for track in corpus.tracks})
        subsets = {present[name]: subset for name, subset in corpus.official.items() if name in present}
        missing = Counter(subset for name, subset in corpus.official.items() if name not in present)
        if missing:
            parts = ", ".join(f"{missing[subset]} of {subset}" for subset in SUBSETS if missing[subset])
            log.warning(
                "official split: %d of its %d tracks are not on disk (%s)",
                *(missing.total(), len(corpus.official), parts),
            )
        return {subset: [track for track in corpus.tracks if subsets.get(track.name) == subset] for subset in SUBSETS}


class StratifiedSplit(Split):
    """A random split with every genre in proportion.

    Args:
        validation: The share of validation tracks; 0: no validation subset, as in several papers.
        test: The share of test tracks.
        by_artist: Keep all tracks of an artist in one subset. A track of an unknown artist counts as an artist of its
            own. The shares are then approximate, because artists are not divided.
        seed: The same seed gives the same split of the same corpus.

    Raises:
        GenreError: The shares leave no track to train on or to score. A call raises it for a corpus that is too small.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Corpus, Track, StratifiedSplit
        >>> songs = [("jazz", i) for i in range(20)] + [("rock", i) for i in range(20)]
        >>> corpus = Corpus([Track(Path(f"{genre}{i}.wav"), genre, f"{genre}{i // 2}") for genre, i in songs])
        >>> partition = StratifiedSplit(by_artist=True, test=0.2)(corpus)
        >>> {track.artist for track in partition["train"]} & {track.artist for track in partition["test"]}
        set()
    """

    def __init__(self, validation: float = 0.15, test: float = 0.15, by_artist: bool = False, seed: int = 0) -> None:
        _check_shares(validation, test)
        self.validation, self.test, self.by_artist, self.seed = validation, test, by_artist, seed

    def __call__(self, corpus: Corpus) -> Partition:  # noqa: D102
        if not self.by_artist:
            _check_counts(corpus.tracks, 1 + (self.validation > 0) + (self.test > 0))
        rest, test = self._cut(corpus.tracks, self.test)
        train, validation = self._cut(rest, self.validation / (1 - self.test))
        return {"train": train, "validation": validation, "test": test}

    def _cut(self, tracks: list[Track], share: float) -> tuple[list[Track], list[Track]]:
        """Cuts off ``share`` of the tracks; returns the rest first."""
        if share == 0:
            return tracks, []
        if self.by_artist:
            return _cut_artists(tracks, share, self.seed)
        size, genres = max(1, round(share * len(tracks))), [track.genre for track in tracks]
        try:
            rest, cut = train_test_split(tracks, test_size=size, random_state=self.seed, stratify=genres)
        except ValueError as error:
            raise GenreError(f"{len(tracks)} tracks are too few for a stratified split: {error}") from None
        return rest, cut


class KFoldSplit(Split):
    """One round of stratified k-fold cross-validation: fold ``fold`` is the test subset, the next one validates.

    Args:
        folds: The number of folds, at least 3; without validation at least 2.
        fold: The test fold, counted from 0.
        by_artist: Keep all tracks of an artist in one fold; a track of an unknown artist counts as an artist.
        seed: The same seed gives the same folds of the same corpus.
        validation: Whether the next fold is the validation subset; ``False``: it is a part of the train subset.

    Raises:
        GenreError: ``folds`` or ``fold`` is out of its range. A call raises it for a corpus that is too small.

    Example:
        >>> from pathlib import Path
        >>> from genre.data import Corpus, Track, KFoldSplit
        >>> songs = [("jazz", i) for i in range(20)] + [("rock", i) for i in range(20)]
        >>> corpus = Corpus([Track(Path(f"{genre}{i}.wav"), genre, f"{genre}{i // 2}") for genre, i in songs])
        >>> tested = [track.path for fold in range(5) for track in KFoldSplit(folds=5, fold=fold)(corpus)["test"]]
        >>> len(tested), len(set(tested))
        (40, 40)
    """

    def __init__(
        self, folds: int = 10, fold: int = 0, by_artist: bool = False, seed: int = 0, validation: bool = True
    ) -> None:
        min_folds = 3 if validation else 2
        if folds < min_folds or not 0 <= fold < folds:
            raise GenreError(
                f"k-fold needs folds >= {min_folds} and 0 <= fold < folds; found folds={folds}, fold={fold}"
            )
        self.folds, self.fold, self.by_artist, self.seed = folds, fold, by_artist, seed
        self.validation: bool = validation

    def __call__(self, corpus: Corpus) -> Partition:  # noqa: D102
        folds = self._divide(corpus.tracks)
        test = folds[self.fold]
        validation = folds[(self.fold + 1) % self.folds] if self.validation else []
        held_out = {track.path for track in (*test, *validation)}
        train = [track for track in corpus.tracks if track.path not in held_out]
        return {"train": train, "validation": validation, "test": test}

    def _divide(self, tracks: list[Track]) -> list[list[Track]]:
        """The tracks of every fold."""
        genres = [track.genre for track in tracks]
        if self.by_artist:
            artists = groups(tracks)
            if len(set(artists)) < self.folds:
                raise GenreError(
                    f"{len(set(artists))} artists cannot be split into {self.folds} folds; use fewer folds"
                )
            if max(Counter(genres).values()) < self.folds:
                raise GenreError(f"no genre has as many as {self.folds} tracks, one for each fold; use fewer folds")
            splitter = StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed)
            folds = splitter.split(genres, genres, artists)
        else:
            _check_counts(tracks, self.folds)
            folds = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed).split(genres, genres)
        return [[tracks[index] for index in np.sort(inside)] for _, inside in folds]


class SegmentSplit(Split):
    """A random split of SEGMENTS, to reproduce the figures of Gaitanou et al. (inferred) and Khamees et al. only.

    Segments of one track stand in every subset, so the scores say how well a network recognises a recording that it was
    trained on. Every result carries ``leaky: true``. A segment is scored by itself, as in the papers.

    Args:
        seconds: The length of a segment; ``data.segment_seconds`` should be the same.
        validation: The share of validation segments; 0: no validation subset.
        test: The share of test segments.
        seed: The same seed gives the same split of the same corpus.

    Raises:
        GenreError: The length is not positive, or the shares leave no segment to train on or to score.

    Example:
        >>> from genre.data import SegmentSplit
        >>> SegmentSplit(seconds=3.0).leaky
        True
    """

    leaky = True

    def __init__(self, seconds: float = 3.0, validation: float = 0.1, test: float = 0.2, seed: int = 0) -> None:
        if not seconds > 0:
            raise GenreError(f"a segment's length in seconds must be positive; found {seconds}")
        _check_shares(validation, test)
        self.seconds = seconds
        self.validation, self.test, self.seed = validation, test, seed

    def __call__(self, corpus: Corpus) -> Partition:  # noqa: D102
        log.warning("LEAKY split: segments of one track stand in both subsets; for reproducing published figures only")
        # A bad file stays whole.
        seconds = {readable.track: readable.seconds for readable in scan(corpus.tracks, BadFiles())}
        segments = [segment for track in corpus.tracks for segment in track.cut(seconds.get(track, 0.0), self.seconds)]
        return StratifiedSplit(self.validation, self.test, seed=self.seed)(Corpus(segments))


def _check_shares(validation: float, test: float) -> None:
    """Raises if nothing would be left to train on, or to score."""
    if min(validation, test) < 0 or not 0 < validation + test < 1:
        raise GenreError(
            "a split needs validation >= 0 and test >= 0, not both 0, and tracks left to train on; "
            f"found validation={validation}, test={test}"
        )


def groups(tracks: Sequence[Track]) -> list[str]:
    """The group of every track: its artist, or the track itself if the artist is unknown.

    The first spelling of a name identifies the artist, not the name's key: the order of keys would change the folds.
    """
    names = first_spellings(track.artist for track in tracks if track.artist)
    return [f"artist {names[track.artist]}" if track.artist else f"track {track.path}" for track in tracks]


def _cut_artists(tracks: list[Track], share: float, seed: int) -> tuple[list[Track], list[Track]]:
    """Cuts off whole artists, so that each genre loses about ``share`` of its tracks.

    The artists are drawn genre by genre: one draw for all genres would fit only some of them. An artist of several
    genres is drawn with the first of them. A genre with several artists keeps and loses at least one.
    """
    artists, genres = np.array(groups(tracks)), np.array([track.genre for track in tracks])
    random = np.random.RandomState(seed)
    placed: set[str] = set()
    cut: set[str] = set()
    for genre in np.unique(genres):
        of_genre = genres == genre
        free = np.flatnonzero(of_genre & ~np.isin(artists, list(placed)))
        wanted = share * of_genre.sum() - np.isin(artists[of_genre], list(cut)).sum()
        placed |= set(artists[free])
        count = len(np.unique(artists[free]))
        sizes = range(1, min(count - 1, max(1, round(2 * share * count))) + 1)
        candidates = [
            inside
            for size in sizes
            for _, inside in GroupShuffleSplit(
                ARTIST_DRAWS // len(sizes) + 1, test_size=size, random_state=random
            ).split(free, groups=artists[free])
        ]
        if candidates and wanted > 0:
            best = min(candidates, key=lambda inside: abs(len(inside) - wanted))
            close = [inside for inside in candidates if abs(len(inside) - wanted) <= ARTIST_SLACK * of_genre.sum()]
            cut |= set(artists[free[close[0] if close else best]])
    inside = [track for track, artist in zip(tracks, artists, strict=True) if artist in cut]
    if not inside:
        raise GenreError(f"{len(placed)} artist(s) are too few for a split by artist: no genre has two of them")
    return [track for track, artist in zip(tracks, artists, strict=True) if artist not in cut], inside


def _check_counts(tracks: Sequence[Track], needed: int) -> None:
    """Raises a :class:`~genre.GenreError` if a genre has fewer than ``needed`` tracks."""
    counts = Counter(track.genre for track in tracks)
    for genre, count in sorted(counts.items()):
        if count < needed:
            raise GenreError(
                f"genre '{genre}' has {count} track(s) where this split needs {needed}; add tracks or remove the genre"
            )
