"""On which side of the usual splits a track would stand."""

import logging
from collections.abc import Mapping
from pathlib import Path

from genre.data.splits import OfficialSplit, Split, StratifiedSplit
from genre.data.track import SIDES, Corpus, Side
from genre.errors import GenreError

log = logging.getLogger(__name__)

#: Path to side, of each split by name.
Sides = Mapping[str, Mapping[Path, Side]]


def find_sides(corpus: Corpus) -> Sides:
    """The sides under the official split, where there is one, and the default ones of the others.

    A split that the corpus is too small for is logged and left out.
    """
    splits: dict[str, Split] = {"stratified": StratifiedSplit(), "by artist": StratifiedSplit(by_artist=True)}
    if corpus.official:
        splits = {"official": OfficialSplit(), **splits}
    sides = {}
    for name, split in splits.items():
        try:
            partition = split(corpus)
        except GenreError as error:
            log.warning("no %s split: %s", name, error)
        else:
            sides[name] = {track.path: side for side in SIDES for track in partition[side]}
    return sides


def between(sides: Mapping[Path, Side], *paths: Path) -> list[Side]:
    """The sides that some tracks stand on, without those that are on none: more than one means torn apart."""
    found = {sides[path] for path in paths if path in sides}
    return [side for side in SIDES if side in found]
