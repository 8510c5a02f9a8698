"""Counts and artists against numbers counted by hand."""

from pathlib import Path

import pytest

from genre.data.track import Track, count_genres
from genre.plots.corpus import plot_artists, plot_counts


def tracks(genre: str, *artists: str | None) -> list[Track]:
    return [Track(Path(f"{genre}/{number}.wav"), genre, artist) for number, artist in enumerate(artists)]


CORPUS = (
    tracks("blues", "Hooker", "Hooker", "Hooker", "King") + tracks("jazz", None, "Davis", None) + tracks("pop", None)
)


def test_counts_of_every_side() -> None:
    partition = {
        "train": tracks("blues", None, None, None) + tracks("jazz", None, None),
        "validation": tracks("jazz", None),
        "test": tracks("pop", None, None),
    }
    axes = plot_counts(partition).axes[0]  # type: ignore[arg-type]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["blues", "jazz", "pop"]
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers}
    assert widths == {"train (5)": [3, 2, 0], "validation (1)": [0, 1, 0], "test (2)": [0, 0, 2]}
    assert [text.get_text() for text in axes.texts] == ["3", "2", "0", "0", "1", "0", "0", "0", "2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("number of tracks", "genre")
    assert axes.get_title() == "8 tracks of 3 genres, by subset of the split"
    assert plot_counts(partition, "segments").axes[0].get_xlabel() == "number of segments"  # type: ignore[arg-type]
    for bars, offset in zip(axes.containers, (-0.27, 0, 0.27), strict=True):
        places = [bar.get_y() + bar.get_height() / 2 for bar in bars]
        assert places == pytest.approx([place + offset for place in range(3)])


def test_artists_and_the_largest() -> None:
    found = count_genres(CORPUS)
    blues, jazz, pop = found["blues"], found["jazz"], found["pop"]
    assert (blues.artists, blues.tracks, blues.unknown, blues.largest, blues.largest_tracks) == (2, 4, 0, "Hooker", 3)
    assert (jazz.artists, jazz.unknown, jazz.largest) == (1, 2, "Davis")
    assert jazz.share == pytest.approx(1 / 3)
    assert (pop.artists, pop.unknown, pop.largest, pop.share) == (0, 1, "", 0)

    left, right = plot_artists(CORPUS).axes
    assert [bar.get_width() for bar in left.containers[0]] == [2, 1, 0]
    assert [text.get_text() for text in left.texts] == [
        "2",
        "1; 2 tracks of unknown artist",
        "0; 1 track of unknown artist",
    ]
    assert [bar.get_width() for bar in right.containers[0]] == pytest.approx([75, 100 / 3, 0])
    assert [text.get_text() for text in right.texts] == ["Hooker: 3 of 4", "Davis: 1 of 3", "none known"]
    assert left.get_xlabel() == "number of known artists"
    assert right.get_xlabel() == "share of the genre's tracks in per cent"
