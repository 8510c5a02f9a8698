"""On which subset of the usual splits a track would stand."""

import logging
from collections.abc import Mapping
from pathlib import Path

from genre.data.splits import OfficialSplit, Split, StratifiedSplit
from genre.data.track import SUBSETS, Corpus, Subset
from genre.errors import GenreError

log = logging.getLogger(__name__)

#: Path to subset, of each split by name.
Subsets = Mapping[str, Mapping[Path, Subset]]


def find_subsets(corpus: Corpus) -> Subsets:
    """The subsets under the official split, where there is one, and the default ones of the others.

    A split that the corpus is too small for is logged and left out.
    """
    splits: dict[str, Split] = {"stratified": StratifiedSplit(), "by artist": StratifiedSplit(by_artist=True)}
    if corpus.official:
        splits = {"official": OfficialSplit(), **splits}
    subsets = {}
    for name, split in splits.items():
        try:
            partition = split(corpus)
        except GenreError as error:
            log.warning("no %s split: %s", name, error)
        else:
            subsets[name] = {track.path: subset for subset in SUBSETS for track in partition[subset]}
    return subsets


def between(subsets: Mapping[Path, Subset], *paths: Path) -> list[Subset]:
    """The subsets that some tracks stand on, without those that are on none: more than one means torn apart."""
    found = {subsets[path] for path in paths if path in subsets}
    return [subset for subset in SUBSETS if subset in found]
