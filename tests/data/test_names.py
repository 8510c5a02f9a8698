"""One key for one artist and one genre, and one form for one file's name."""

import csv
import hashlib
import unicodedata
from pathlib import Path

import pytest

from genre.data import CSV, Corpus, KFoldSplit, MelSpectrogram, OfficialSplit, StratifiedSplit, Track
from genre.data.exclusions import exclude
from genre.data.names import class_indices, match_composed, name_key, same_names, unknown_names
from genre.data.provenance import artist_digests, shared_artists
from genre.data.splits import groups
from genre.data.track import TrackCount, count_genres, count_tracks
from genre.errors import GenreError


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


#: Spellings of one name; the first is another one in every line.
ALIKE = [
    ("Beyoncé", nfd("Beyoncé"), "BEYONCÉ", nfd("beyoncé"), " Beyonce\u0301 "),
    ("The Band", "the  band", "The\u00a0Band", "THE\tBAND", "The\u200b Band\ufeff", "\u2003the band\n"),
    ("Die Straße", "DIE STRASSE", "die stra\u00adße"),
    ("ᾳ", "ΑΙ", nfd("ᾳ")),
    ("Ǆ", "ǆ", "ǅ"),
    ("Guns N' Roses", "Guns N’ Roses", "guns n‘ roses"),
    ("Jay-Z", "JAY‐Z", "Jay\u2011Z"),
    ("Ångström", "A\u030angstro\u0308m", "\u212bngström"),
    ("Sigur Rós",),
    ("Fun",),
    ("Fun.",),
    ("P!nk",),
    ("Pink",),
    ("ACDC",),
    ("AC/DC",),
]


@pytest.mark.parametrize("spellings", ALIKE, ids=lambda spellings: ascii(spellings[0]))
def test_spellings_of_one_name_have_one_key(spellings: tuple[str, ...]) -> None:
    assert len(set(map(name_key, spellings))) == 1
    key = name_key(spellings[0])
    assert name_key(key) == key == unicodedata.normalize("NFC", key)


def test_different_names_have_different_keys() -> None:
    assert len({name_key(spellings[0]) for spellings in ALIKE}) == len(ALIKE)


def test_digests_of_old_checkpoints_stay_valid() -> None:
    names = ["The  Band", "AC/DC", "Guns N' Roses", "P!nk", "Beyoncé"]
    as_before = {
        hashlib.blake2b(" ".join(name.split()).casefold().encode(), digest_size=8).hexdigest() for name in names
    }
    assert artist_digests([Track(Path("a.wav"), "pop", name) for name in names]) == as_before


def test_digest_of_a_name_that_is_no_text() -> None:
    assert len(artist_digests([Track(Path("a.wav"), "pop", "caf\udce9")])) == 1


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u00a0\ufeff", None])
def test_artist_without_a_visible_name_is_unknown(name: str | None) -> None:
    tracks = [Track(Path(f"{number}.wav"), "pop", name) for number in range(2)]
    assert [track.artist for track in tracks] == [None, None]
    assert groups(tracks) == ["track 0.wav", "track 1.wav"]


def corpus_of(spellings: list[str], genres: int = 2, each: int = 3) -> Corpus:
    """Every genre has ``each`` tracks of every spelling, and ten artists of one track."""
    tracks = []
    for genre in range(genres):
        names = [f"{name} {genre}" for name in spellings for _ in range(each)] + [f"{genre} {n}" for n in range(10)]
        tracks += [Track(Path(f"{genre}-{n}.wav"), f"genre{genre}", name) for n, name in enumerate(names)]
    return Corpus(tracks)


@pytest.mark.parametrize("spellings", [list(alike) for alike in ALIKE if len(alike) > 1], ids=lambda s: ascii(s[0]))
def test_no_spelling_leaves_its_artist(spellings: list[str]) -> None:
    corpus = corpus_of([name.strip() for name in spellings])
    splits = [KFoldSplit(4, fold, by_artist=True) for fold in range(4)]
    for split in (*splits, *(StratifiedSplit(0.2, 0.2, by_artist=True, seed=seed) for seed in range(4))):
        subsets = split(corpus)
        keys = [{name_key(track.artist or "") for track in tracks} for tracks in subsets.values()]
        assert sum(map(len, keys)) == len(set().union(*keys)) == 22
        assert shared_artists(*map(artist_digests, subsets.values())) == 0


def test_one_spelling_each_gives_the_folds_of_the_names_themselves() -> None:
    """The order of the groups decides the folds: a key in place of the name would change them."""
    tracks = [Track(Path(f"{n}.wav"), f"genre{n % 2}", "aBcDeFgHiJ"[n // 6] * 2) for n in range(60)]
    assert groups(tracks) == [f"artist {track.artist}" for track in tracks]


def test_audit_and_figures_count_an_artist_once() -> None:
    names = ["Beyoncé", nfd("Beyoncé"), "BEYONCÉ", "Ella", "Ella", None]
    tracks = [Track(Path(f"{n}.wav"), "pop", name) for n, name in enumerate(names)]
    pop = count_genres(tracks)["pop"]
    assert (pop.tracks, pop.artists, pop.unknown, pop.largest, pop.largest_tracks) == (6, 2, 1, "Beyoncé", 3)
    assert pop.share == 0.5
    assert count_tracks(tracks) == pop


def test_of_artists_with_as_many_tracks_the_first_by_name_is_the_largest() -> None:
    tracks = [Track(Path(f"{n}.wav"), "pop", name) for n, name in enumerate(("Nina", "Ella", "Ella", "Nina", "Bob"))]
    for order in (tracks, tracks[::-1]):
        assert count_tracks(order) == TrackCount(tracks=5, artists=3, unknown=0, largest="Ella", largest_tracks=2)
    assert count_tracks([]) == TrackCount(0, 0, 0, "", 0)
    assert count_tracks([]).share == 0


def test_class_of_a_genre() -> None:
    classes = ["Café", "Rock", "Rock and Roll"]
    assert class_indices([nfd("Café"), "rock and  roll", "ROCK", "Rock"], classes) == [0, 2, 1, 1]
    assert class_indices(["rock", "Rock"], ["Rock", "rock"]) == [1, 0]  # an old checkpoint's, each by itself
    with pytest.raises(KeyError, match="jazz"):
        class_indices(["jazz"], classes)
    assert unknown_names(["jazz", nfd("CAFÉ"), "blues"], classes) == ["jazz", "blues"]
    assert same_names(["Café"], [nfd("CAFÉ")])
    assert not same_names(["a", "b"], ["b", "a"])


def test_order_of_the_classes_does_not_depend_on_the_form() -> None:
    names = ["Café", "Cafz", "b", "A"]
    for form in ("NFC", "NFD"):
        found = Corpus([Track(Path("a"), unicodedata.normalize(form, name)) for name in names]).genres
        assert [unicodedata.normalize("NFC", name) for name in found] == ["A", "Cafz", "Café", "b"]


def test_file_names_match_in_any_form() -> None:
    composed, decomposed = "é/Ü.wav", nfd("é/Ü.wav")
    assert match_composed([composed, "x"], [decomposed, "y"]) == {composed: decomposed}
    assert match_composed([decomposed], [composed]) == {decomposed: composed}
    assert match_composed([composed], [decomposed, composed]) == {composed: composed}  # each is itself
    mixed = "é/" + nfd("Ü.wav")
    assert match_composed([mixed], [decomposed, composed]) == {}  # which one is not to be told
    assert match_composed(["É.wav"], ["é.wav"]) == {}  # two files on most disks


def test_official_list_and_exclusions_match_in_any_form(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["café", "naïve", "plain"]
    tracks = [Track(tmp_path / f"{nfd(name)}.wav", "pop") for name in names]
    corpus = Corpus(tracks, {"café": "train", "naïve": "test", "plain": "validation"})
    subsets = OfficialSplit()(corpus)
    assert {subset: [track.name for track in part] for subset, part in subsets.items()} == {
        "train": [nfd("café")],
        "validation": ["plain"],
        "test": [nfd("naïve")],
    }
    assert not caplog.messages  # nothing is missing
    (tmp_path / "list.txt").write_text("naïve.wav\nabsent.wav\n", encoding="utf-8")
    rest = exclude(corpus, tmp_path / "list.txt", tmp_path)
    assert rest.tracks == [tracks[0], tracks[2]]
    assert rest.official == {"café": "train", "plain": "validation"}
    assert "leaves out 1 of 3 tracks; 1 of its 2 entries match no track" in caplog.messages[0]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Files with decomposed names, and a list of them in composed ones."""
    folder = tmp_path / nfd("Café") / nfd("Beyoncé")
    folder.mkdir(parents=True)
    if (tmp_path / "Café").exists():
        pytest.skip("this file system knows one form only")
    (folder / nfd("déjà.wav")).write_bytes(b"")
    (folder / "plain.wav").write_bytes(b"")
    return tmp_path


def write_list(root: Path, *paths: str) -> Path:
    with (root / "tracks.csv").open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("path", "genre"), *((path, f"genre{n}") for n, path in enumerate(paths))])
    return root / "tracks.csv"


def read_list(root: Path, *paths: str) -> list[Path]:
    data = CSV(write_list(root, *paths), MelSpectrogram(), StratifiedSplit())
    return [track.path for track in data.corpus.tracks]


def test_listed_files_are_found_in_any_form(listed: Path) -> None:
    paths = "Café/Beyoncé/déjà.wav", str(listed / "Café" / nfd("Beyoncé") / "plain.wav"), "Café/none.wav"
    found = read_list(listed, *paths)
    assert [path.exists() for path in found] == [True, True, False]
    assert found[2] == listed / "Café/none.wav"  # named as it is listed


def test_form_that_fits_two_files_stays_as_it_is(listed: Path) -> None:
    folder = listed / nfd("Café") / nfd("Beyoncé")
    (folder / "dej\u0300a\u0300.wav").write_bytes(b"")
    for name in ("d\u00e9j\u0061\u0300.wav", "de\u0301j\u00e0.wav"):
        (folder / name).write_bytes(b"")
    (folder / nfd("déjà.wav")).unlink()
    found = read_list(listed, "Café/Beyoncé/déjà.wav", "Café/Beyoncé/plain.wav")
    assert [path.exists() for path in found] == [False, True]


def test_one_file_in_two_forms_is_listed_twice(listed: Path) -> None:
    with pytest.raises(GenreError, match=r"line 3: .* stands on line 2 already"):
        read_list(listed, "Café/Beyoncé/déjà.wav", nfd("Café/Beyoncé/déjà.wav"))


def test_message_of_a_doubled_genre() -> None:
    genres = ["rock", "Rock ", "Café", nfd("Café"), "jazz"]
    corpus = Corpus([Track(Path(f"{n}.wav"), genre) for n, genre in enumerate(genres)])
    with pytest.raises(GenreError) as error:
        corpus.require_distinct_genres(Path("music"))
    assert str(error.value) == (
        "music: found one genre in 2 spellings, 'rock' in 0.wav and 'Rock ' in 1.wav (1 more genres likewise); expected "
        "one; rename the folders, or edit the list of tracks, so that all tracks of the genre have the same spelling"
    )
    with pytest.raises(GenreError, match=r"\(Caf\\xe9\) in 2.wav and .* \(Cafe\\u0301\) in 3.wav"):
        Corpus(corpus.tracks[2:]).require_distinct_genres(Path("music"))
    Corpus([corpus.tracks[0], *corpus.tracks[3:]]).require_distinct_genres(Path("music"))
