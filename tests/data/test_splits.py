import functools
import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

import genre.data
from genre.audit.run import READERS as AUDIT_READERS
from genre.data import (
    CSV,
    FMA,
    GTZAN,
    Ballroom,
    Corpus,
    Folder,
    GenreDataModule,
    KFoldSplit,
    OfficialSplit,
    SegmentSplit,
    Spectrogram,
    Split,
    StratifiedSplit,
    Synthetic,
    Track,
)
from genre.data.ballroom import read_ballroom
from genre.data.csv import read_track_list
from genre.data.fma import read_fma
from genre.data.folder import read_folder
from genre.data.gtzan import GENRES, fault_filtered_split, read_artists, read_gtzan
from genre.data.splits import Partition, groups
from genre.data.synthetic import read_synthetic, write_corpus
from genre.data.track import SUBSETS
from genre.errors import GenreError

SEEDS = range(3)

#: Every split that promises to keep tracks in one subset, from its seed; by artist or not.
SPLITS: dict[str, Callable[[int], Split]] = {
    "StratifiedSplit": lambda seed: StratifiedSplit(seed=seed),
    "StratifiedSplit by artist": lambda seed: StratifiedSplit(by_artist=True, seed=seed),
    "StratifiedSplit without test": lambda seed: StratifiedSplit(0.3, 0.0, by_artist=True, seed=seed),
    "KFoldSplit": lambda seed: KFoldSplit(4, 3, seed=seed),
    "KFoldSplit by artist": lambda seed: KFoldSplit(4, 3, by_artist=True, seed=seed),
    "OfficialSplit": lambda seed: OfficialSplit(),
}


def make_corpus(counts: dict[str, int], tracks_per_artist: int = 1) -> Corpus:
    """Tracks that need no file, each artist with so many of them."""
    return Corpus(
        [
            Track(Path(f"{genre}.{number}.wav"), genre, f"{genre}, artist {number // tracks_per_artist}")
            for genre, count in counts.items()
            for number in range(count)
        ]
    )


def gtzan_names() -> Corpus:
    """All 1,000 tracks of GTZAN by name, with their artists."""
    artists = read_artists().items()
    tracks = [Track(Path(f"{name}.wav"), name.partition(".")[0], artist or None) for name, artist in artists]
    return Corpus(tracks, fault_filtered_split())


def shared(partition: Partition, key: Callable[[Track], object]) -> set[object]:
    """What stands in more than one subset, ``None`` left aside."""
    found = [{key(track) for track in partition[subset]} - {None} for subset in SUBSETS]
    return set().union(*(one & two for one, two in itertools.combinations(found, 2)))


@pytest.fixture(scope="module")
def roots(
    gtzan: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[type[GenreDataModule], Path]]:
    """The roots of a generated corpus of every data set."""
    listed = tmp_path_factory.mktemp("csv") / "tracks.csv"
    rows = [f"{genre}/{n}.wav,{genre},{f'{genre}{n // 3}' if n < 9 else ''}" for genre in "abc" for n in range(15)]
    listed.write_text("\n".join(["path,genre,artist", *rows]))
    fma, ballroom = tmp_path_factory.mktemp("fma"), tmp_path_factory.mktemp("ballroom")
    columns = [",artist,set,set,track", ",id,split,subset,genre_top", "track_id,,,,"]
    subsets = ("training", "training", "training", "validation", "test")
    rows = [f"{n},{n % 15},{subsets[n % 5]},small,{'abc'[n % 3]}" for n in range(45)]
    (fma / "fma_metadata").mkdir()
    (fma / "fma_metadata" / "tracks.csv").write_text("\n".join([*columns, *rows]))
    (fma / "fma_small" / "000").mkdir(parents=True)
    for number in range(45):
        (fma / "fma_small" / "000" / f"{number:06d}.mp3").touch()
    for dance in ("Jive", "Samba", "Waltz"):
        (ballroom / dance).mkdir()
        for number in range(15):
            (ballroom / dance / f"Albums-Latin_Jam-{number:02d}.wav").touch()
    small = functools.partial(write_corpus, tracks_per_genre=10, artists_per_genre=5, seconds=0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genre.data.synthetic.write_corpus", small)
        roots = {GTZAN: gtzan, Folder: folder, CSV: listed, Synthetic: tmp_path_factory.mktemp("synthetic")}
        yield {**roots, FMA: fma, Ballroom: ballroom}


@pytest.fixture(scope="module")
def corpora(roots: dict[type[GenreDataModule], Path]) -> dict[type[GenreDataModule], Corpus]:
    """A generated corpus of every data set."""
    return {cls: cls(root, Spectrogram(), OfficialSplit()).corpus for cls, root in roots.items()}


def test_nothing_is_left_out(corpora: dict[type[GenreDataModule], Corpus]) -> None:
    """A data set or a split that joins the package joins the tests below."""
    public = [
        cls
        for cls in (getattr(genre.data, name) for name in dir(genre.data))
        if inspect.isclass(cls) and not inspect.isabstract(cls)
    ]
    assert {cls for cls in public if issubclass(cls, GenreDataModule)} == set(corpora)
    splits = {cls.__name__ for cls in public if issubclass(cls, Split) and not cls.leaky}
    assert splits == {name.partition(" ")[0] for name in SPLITS}


#: The functions that list tracks without features, split or Trainer.
READERS = {
    GTZAN: read_gtzan,
    FMA: read_fma,
    Ballroom: read_ballroom,
    Folder: read_folder,
    CSV: read_track_list,
    Synthetic: read_synthetic,
}


def test_tracks_are_listed_without_a_datamodule(
    roots: dict[type[GenreDataModule], Path], corpora: dict[type[GenreDataModule], Corpus]
) -> None:
    assert {cls: READERS[cls](root) for cls, root in roots.items()} == corpora
    assert {cls.__name__: READERS[cls] for cls in roots if cls is not Synthetic} == AUDIT_READERS


@pytest.mark.parametrize("data", [GTZAN, FMA, Ballroom, Folder, CSV, Synthetic])
class TestEverySplitOfEveryDataSet:
    @pytest.fixture
    def corpus(self, corpora: dict[type[GenreDataModule], Corpus], data: type[GenreDataModule]) -> Corpus:
        return corpora[data]

    @pytest.mark.parametrize("seed", SEEDS)
    @pytest.mark.parametrize("name", SPLITS)
    def test_sides_share_no_track_and_no_artist(
        self, corpus: Corpus, data: type[GenreDataModule], name: str, seed: int
    ) -> None:
        split = SPLITS[name](seed)
        if name == "OfficialSplit" and data not in (GTZAN, FMA):
            with pytest.raises(GenreError, match="no official split"):
                split(corpus)
            return
        partition = split(corpus)
        assert tuple(partition) == SUBSETS
        assert not shared(partition, lambda track: track.path)
        found = [track for subset in SUBSETS for track in partition[subset]]
        if name == "OfficialSplit":
            assert set(found) <= set(corpus.tracks)
        else:
            assert sorted(found, key=lambda track: track.path) == sorted(corpus.tracks, key=lambda track: track.path)
        assert partition["train"]
        assert partition["validation"]
        assert bool(partition["test"]) == (name != "StratifiedSplit without test")
        if "by artist" in name:
            assert not shared(partition, lambda track: track.artist)

    @pytest.mark.parametrize("name", [name for name in SPLITS if name != "OfficialSplit"])
    def test_is_a_function_of_the_seed(self, corpus: Corpus, name: str) -> None:
        first = [SPLITS[name](seed)(corpus) for seed in SEEDS]
        again = [SPLITS[name](seed)(corpus) for seed in SEEDS]
        assert first == again
        assert any(other != first[0] for other in first[1:])

    @pytest.mark.parametrize("seed", SEEDS[:2])
    @pytest.mark.parametrize("by_artist", [False, True])
    def test_folds_are_the_corpus_once(self, corpus: Corpus, by_artist: bool, seed: int) -> None:
        turns = [KFoldSplit(4, fold, by_artist, seed)(corpus) for fold in range(4)]
        for subset in ("test", "validation"):
            tracks = [track for turn in turns for track in turn[subset]]
            assert Counter(tracks) == Counter(corpus.tracks)
        for turn, following in zip(turns, turns[1:] + turns[:1], strict=True):
            assert turn["validation"] == following["test"]


class TestStratified:
    @pytest.mark.parametrize(("validation", "test"), [(0.15, 0.15), (0.1, 0.3), (0.5, 0.0)])
    @pytest.mark.parametrize("seed", SEEDS)
    def test_genres_are_in_proportion(self, validation: float, test: float, seed: int) -> None:
        counts = {"blues": 100, "jazz": 40, "pop": 60}
        partition = StratifiedSplit(validation, test, seed=seed)(make_corpus(counts))
        for subset, share in {"train": 1 - validation - test, "validation": validation, "test": test}.items():
            found = Counter(track.genre for track in partition[subset])  # type: ignore[index]
            assert all(abs(found[genre] - share * count) < 1.01 for genre, count in counts.items())

    @pytest.mark.parametrize("count", [200, 1000])
    @pytest.mark.parametrize("shares", [(0.15, 0.15), (0.1, 0.1), (0.1, 0.2)])
    def test_sizes_are_exact(self, shares: tuple[float, float], count: int) -> None:
        partition = StratifiedSplit(*shares)(make_corpus({"blues": count // 2, "jazz": count // 2}))
        found = [len(partition["validation"]), len(partition["test"])]
        assert found == [round(share * count) for share in shares]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_folds_are_in_proportion(self, seed: int) -> None:
        counts = {"blues": 100, "jazz": 40, "pop": 63}
        for fold in range(10):
            found = Counter(track.genre for track in KFoldSplit(10, fold, seed=seed)(make_corpus(counts))["test"])
            assert all(abs(found[genre] - count / 10) < 1 for genre, count in counts.items())

    @pytest.mark.parametrize("seed", SEEDS)
    def test_artists_of_one_size_divide_exactly(self, seed: int) -> None:
        partition = StratifiedSplit(0.2, 0.2, by_artist=True, seed=seed)(make_corpus({"a": 20, "b": 20, "c": 20}, 4))
        sizes = {subset: Counter(track.genre for track in partition[subset]) for subset in SUBSETS}
        assert sizes == {
            "train": {"a": 12, "b": 12, "c": 12},
            "validation": {"a": 4, "b": 4, "c": 4},
            "test": {"a": 4, "b": 4, "c": 4},
        }

    @pytest.mark.parametrize("seed", SEEDS)
    def test_artists_of_gtzan_divide_closely(self, seed: int) -> None:
        """Of 20 to 62 artists a genre, some always make up 15 of its 100 tracks, give or take a few."""
        partition = StratifiedSplit(0.15, 0.15, by_artist=True, seed=seed)(gtzan_names())
        for subset in ("validation", "test"):
            found = Counter(track.genre for track in partition[subset])
            assert {genre: found[genre] for genre in GENRES if abs(found[genre] - 15) > 5} == {}

    def test_tracks_of_unknown_artists_are_divided_one_by_one(self) -> None:
        tracks = [Track(Path(f"{number}.wav"), "ab"[number % 2]) for number in range(40)]
        partition = StratifiedSplit(0.25, 0.25, by_artist=True)(Corpus(tracks))
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 20, "validation": 10, "test": 10}

    def test_unknown_artist_is_not_an_artist_of_that_name(self) -> None:
        tracks = [Track(Path("a"), "g", "x"), Track(Path("b"), "g"), Track(Path("c"), "g"), Track(Path("d"), "g", "x")]
        one, two, three, four = groups(tracks)
        assert one == four
        assert len({one, two, three}) == 3

    def test_artist_of_two_genres_stays_on_one_side(self) -> None:
        tracks = [Track(Path(f"{number}.wav"), "ab"[number % 2], f"artist {number // 4}") for number in range(80)]
        for seed in SEEDS:
            for split in (StratifiedSplit(by_artist=True, seed=seed), KFoldSplit(5, 0, by_artist=True, seed=seed)):
                assert not shared(split(Corpus(tracks)), lambda track: track.artist)


class TestWithoutValidation:
    """90/10 and 80/20, as several papers have it: what is not tested trains."""

    @pytest.mark.parametrize("by_artist", [False, True])
    @pytest.mark.parametrize("test", [0.1, 0.2])
    def test_shares(self, test: float, by_artist: bool) -> None:
        split = StratifiedSplit(0, test, by_artist)
        partition = split(make_corpus({"a": 100, "b": 60}, 2))
        assert not partition["validation"]
        assert len(partition["test"]) == pytest.approx(160 * test, abs=2 if by_artist else 0)
        assert len(partition["train"]) == 160 - len(partition["test"])
        assert not split.has_validation
        if by_artist:
            assert not shared(partition, lambda track: track.artist)

    def test_two_tracks_of_a_genre_are_enough(self) -> None:
        partition = StratifiedSplit(0, 0.5)(make_corpus({"a": 2, "b": 2}))
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 2, "validation": 0, "test": 2}

    def test_folds(self) -> None:
        corpus = make_corpus({"a": 20, "b": 20})
        turns = [KFoldSplit(10, fold, validation=False)(corpus) for fold in range(10)]
        assert {tuple(len(turn[subset]) for subset in SUBSETS) for turn in turns} == {(36, 0, 4)}
        assert Counter(track for turn in turns for track in turn["test"]) == Counter(corpus.tracks)
        assert [turn["test"] for turn in turns] == [KFoldSplit(10, fold)(corpus)["test"] for fold in range(10)]
        assert KFoldSplit().has_validation
        assert OfficialSplit().has_validation

    def test_segments(self, tmp_path: Path) -> None:
        tracks = [Track(tmp_path / f"{genre}{number}.wav", genre) for genre in "ab" for number in range(2)]
        for track in tracks:
            soundfile.write(track.path, np.zeros(8000 * 15), 8000)
        split = SegmentSplit(3.0, 0, 0.2)
        assert not split.has_validation
        partition = split(Corpus(tracks))
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 16, "validation": 0, "test": 4}


class TestOfficialGtzan:
    #: As the lists were published: they are not wholly without artists in common.
    COMMON_ARTISTS = frozenset(
        {
            "Anthrax",
            "Boney M.",
            "Burning Spear",
            "Danzig",
            "Dark Tranquillity",
            "Earth, Wind & Fire",
            "KC and the Sunshine Band",
            "Metallica",
            "Peter Tosh",
            "Slayer",
        }
    )

    @pytest.mark.parametrize(("subset", "count"), [("train", 443), ("validation", 197), ("test", 290)])
    def test_lists(self, subset: str, count: int) -> None:
        names = (files("genre.data") / "gtzan_lists" / f"{subset}.txt").read_text(encoding="utf-8").split()
        assert len(names) == len(set(names)) == count
        assert {name for name, where in fault_filtered_split().items() if where == subset} == set(names)
        assert set(names) <= set(read_artists())

    def test_lists_are_the_published_ones(self, gtzan_mini: Path) -> None:
        for subset, part in {"train": "train", "validation": "valid", "test": "test"}.items():
            lines = (gtzan_mini / "fault_filtered" / f"{part}.txt").read_text().split()
            published = {Path(line).name.removesuffix(".wav") for line in lines}
            assert {name for name, where in fault_filtered_split().items() if where == subset} == published

    def test_whole_data_set(self, caplog: pytest.LogCaptureFixture) -> None:
        partition = OfficialSplit()(gtzan_names())
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 443, "validation": 197, "test": 290}
        assert not shared(partition, lambda track: track.name)
        assert shared(partition, lambda track: track.artist) == self.COMMON_ARTISTS
        assert not caplog.records  # nothing is missing

    def test_missing_tracks_are_counted_in_one_line(
        self, corpora: dict[type[GenreDataModule], Corpus], caplog: pytest.LogCaptureFixture
    ) -> None:
        partition = OfficialSplit()(corpora[GTZAN])
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 40, "validation": 20, "test": 20}
        assert caplog.messages == [
            "official split: 850 of its 930 tracks are not on disk (403 of train, 177 of validation, 270 of test)"
        ]

    def test_tracks_outside_the_lists_are_left_out(self) -> None:
        listed, unlisted = Track(Path("blues.00029.wav"), "blues"), Track(Path("mine.wav"), "blues")
        partition = OfficialSplit()(Corpus([listed, unlisted], fault_filtered_split()))
        assert partition == {"train": [listed], "validation": [], "test": []}


class TestErrors:
    @pytest.mark.parametrize(
        ("validation", "test"),
        [(0, 0), (0, 1), (-0.1, 0.1), (0.1, -0.1), (0.5, 0.5), (0.9, 0.2), (1.5, 0)],
    )
    def test_impossible_shares(self, validation: float, test: float) -> None:
        with pytest.raises(GenreError, match=f"validation={validation}, test={test}"):
            StratifiedSplit(validation, test)
        with pytest.raises(GenreError, match=f"validation={validation}, test={test}"):
            SegmentSplit(3.0, validation, test)

    @pytest.mark.parametrize(("folds", "fold"), [(2, 0), (3, 3), (3, -1), (0, 0)])
    def test_impossible_folds(self, folds: int, fold: int) -> None:
        with pytest.raises(GenreError, match=f"folds={folds}, fold={fold}"):
            KFoldSplit(folds, fold)

    def test_impossible_folds_without_validation(self) -> None:
        assert KFoldSplit(2, 1, validation=False).folds == 2
        with pytest.raises(GenreError, match=r"folds >= 2 .* folds=1, fold=0"):
            KFoldSplit(1, validation=False)

    @pytest.mark.parametrize(
        ("split", "corpus", "message"),
        [
            (StratifiedSplit(), make_corpus({"a": 1, "b": 20}), r"genre 'a' has 1 track"),
            (StratifiedSplit(0.3, 0.3), make_corpus({"a": 2, "b": 20}), r"genre 'a' has 2 track"),
            (StratifiedSplit(), make_corpus({"a": 2, "b": 2, "c": 2}), r"too few|genre 'a' has 2 track"),
            (StratifiedSplit(by_artist=True), make_corpus({"a": 5}, 5), r"artist"),
            (StratifiedSplit(by_artist=True), make_corpus({"a": 5, "b": 5}, 5), r"artist"),
            (StratifiedSplit(0.6, 0.0, by_artist=True), make_corpus({"a": 1, "b": 1}), r"artist"),
            (StratifiedSplit(0.4, 0.4, by_artist=True), make_corpus({"a": 2, "b": 1}), r"artist"),
            (KFoldSplit(10), make_corpus({"a": 9, "b": 20}), r"genre 'a' has 9 track.* needs 10"),
            (KFoldSplit(5, by_artist=True), make_corpus({"a": 8, "b": 8}, 4), r"4 artists .* 5 folds"),
            (KFoldSplit(10, by_artist=True), make_corpus({"a": 8, "b": 8}), r"10"),
        ],
    )
    def test_too_little_to_split(self, split: Split, corpus: Corpus, message: str) -> None:
        with pytest.raises(GenreError, match=message) as caught:
            split(corpus)
        assert "\n" not in str(caught.value)


class TestSegmentSplit:
    """The leaky one: segments of a track in both subsets, no segment twice."""

    def test_cuts_tracks_into_segments(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        tracks = []
        for name in "ab":
            for number in range(4):
                path = tmp_path / f"{name}{number}.wav"
                soundfile.write(path, np.zeros(round(8000 * (30.0 if number else 2.0))), 8000)
                tracks.append(Track(path, name, f"artist {number}"))
        partition = SegmentSplit(seconds=3.0, validation=0.1, test=0.2)(Corpus(tracks))
        segments = [track for subset in SUBSETS for track in partition[subset]]
        assert len(segments) == len(set(segments)) == 2 * (3 * 10 + 1)
        assert {subset: len(partition[subset]) for subset in SUBSETS} == {"train": 44, "validation": 6, "test": 12}
        assert shared(partition, lambda track: track.path)
        assert sum(track.excerpt is None for track in segments) == 2
        of_one = sorted(track.excerpt for track in segments if track.name == "a1" and track.excerpt)
        assert of_one == [(3.0 * index, 3.0 * index + 3.0) for index in range(10)]
        assert SegmentSplit.leaky
        assert [record.message[:11] for record in caplog.records] == ["LEAKY split"]
